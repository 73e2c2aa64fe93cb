// Swallows questions to the Cache API for pages below /given-up/, so that their requests wait for nothing: the runtime gives
// those up; counts those that wasm forgets. Must be loaded before the worker is: the glue makes its instance then.

export const wasm = { memory: undefined, forgotten: 0 }

const { Instance } = WebAssembly
const decoder = new TextDecoder()

WebAssembly.Instance = function (module, imports) {
  const spaces = Object.entries(imports).map(([space, items]) => [space, { ...items }])
  for (const [, items] of spaces) {
    const replace = (start, by) => {
      for (const name of Object.keys(items).filter((name) => name.startsWith(start))) items[name] = by(items[name])
    }
    replace('__wbg_match_', (match) => (op, at, bytes) => {
      const url = decoder.decode(new Uint8Array(wasm.memory.buffer, at, bytes))
      if (!url.includes('/given-up/')) match(op, at, bytes)
    })
    replace('__wbg_forget_', (forget) => (number) => {
      wasm.forgotten++
      forget(number)
    })
  }
  const instance = new Instance(module, Object.fromEntries(spaces))
  wasm.memory = instance.exports.memory
  return instance
}
