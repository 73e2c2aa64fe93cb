// Notes every call between JavaScript and wasm, by name and in order. Must be loaded before the worker is: the glue of
// wasm-bindgen makes its instance when it is loaded.

export const noted = { calls: [], ledger: 0, memory: undefined }

const { Instance } = WebAssembly

function noting(called, name) {
  return function (...values) {
    noted.calls.push(name)
    return called.apply(this, values)
  }
}

function allNoting(items, prefix) {
  const entries = Object.entries(items)
  return Object.fromEntries(entries.map(([name, item]) => [name, typeof item === 'function' ? noting(item, prefix + name) : item]))
}

WebAssembly.Instance = function (module, imports) {
  const spaces = Object.entries(imports)
  const instance = new Instance(module, Object.fromEntries(spaces.map(([space, items]) => [space, allNoting(items, '<')])))
  noted.memory = instance.exports.memory
  return { exports: allNoting(instance.exports, '>') }
}
