// Holds the wasm's memory, and the worker from hearing of disconnects once GET /.deaf was asked for. Must be loaded before
// the worker is: the glue makes its instance then.

export const wasm = { memory: undefined, deaf: false }

const { Instance } = WebAssembly

WebAssembly.Instance = function (module, imports) {
  const spaces = Object.entries(imports).map(([space, items]) => [space, { ...items }])
  for (const [, items] of spaces) {
    for (const name of Object.keys(items).filter((name) => name.startsWith('__wbg_watch_'))) {
      const watch = items[name]
      items[name] = (...values) => (wasm.deaf ? undefined : watch(...values))
    }
  }
  const instance = new Instance(module, Object.fromEntries(spaces))
  wasm.memory = instance.exports.memory
  return instance
}
