// The minimal settings of a self-hosted site; see docs/frameworks/nextjs.md.
export default {
  output: 'standalone',
  outputFileTracingRoot: import.meta.dirname,
  turbopack: { root: import.meta.dirname },
}
