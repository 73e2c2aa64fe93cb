export const dynamicParams = false

export function generateStaticParams() {
  return [{ slug: 'a' }, { slug: 'b' }]
}

export default async function Page({ params }) {
  const { slug } = await params
  return <h1>Article {slug}, made at {Date.now()}</h1>
}
