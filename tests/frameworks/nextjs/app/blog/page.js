import { draftMode } from 'next/headers'

export const revalidate = 600

export default async function Page() {
  const { isEnabled } = await draftMode()
  return <h1>{isEnabled ? 'Drafts' : `Blog, made at ${Date.now()}`}</h1>
}
