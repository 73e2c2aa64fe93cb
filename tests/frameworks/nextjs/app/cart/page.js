import { cookies } from 'next/headers'

export default async function Page() {
  const cart = (await cookies()).get('my_cart')?.value ?? 'nothing'
  return <h1>Cart: {cart}</h1>
}
