import Link from 'next/link'

export default function Layout({ children }) {
  return (
    <html lang="en">
      <body>
        <nav>
          <Link href="/">Home</Link> <Link href="/blog">Blog</Link> <Link href="/cart">Cart</Link>
        </nav>
        {children}
      </body>
    </html>
  )
}
