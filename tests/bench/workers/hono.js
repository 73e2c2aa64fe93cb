// The same with Hono and its middleware for the Cache API.
import { Hono } from 'hono'
import { cache } from 'hono/cache'

const app = new Hono()
app.use('*', cache({ cacheName: 'pages', cacheControl: 'max-age=3600', vary: 'Accept-Encoding' }))
app.get('*', (context) => fetch(context.req.raw))

export default app
