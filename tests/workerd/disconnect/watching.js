// Exposes the wasm memory, and drops the runtime's disconnect signals while `ignoreSignals` is set. Must be loaded before the
// worker, whose glue creates the instance.

export const wasm = { memory: undefined, ignoreSignals: false }

const { Instance } = WebAssembly

WebAssembly.Instance = function (module, imports) {
  const spaces = Object.entries(imports).map(([space, items]) => [space, { ...items }])
  for (const [, items] of spaces) {
    for (const name of Object.keys(items).filter((name) => name.startsWith('__wbg_watch_'))) {
      const watch = items[name]
      items[name] = (...values) => (wasm.ignoreSignals ? undefined : watch(...values))
    }
  }
  const instance = new Instance(module, Object.fromEntries(spaces))
  wasm.memory = instance.exports.memory
  return instance
}
