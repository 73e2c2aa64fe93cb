// The least that a site of its own needs; see docs/frameworks/nextjs.md.
export default {
  output: 'standalone',
  outputFileTracingRoot: import.meta.dirname,
  turbopack: { root: import.meta.dirname },
}
