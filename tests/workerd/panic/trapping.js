// Makes the next call of wasm trap, as a panic does. Must be loaded before the worker is: the glue makes its instance then.

export const trap = { next: false, instances: 0 }

const { Instance } = WebAssembly

WebAssembly.Instance = function (module, imports) {
  trap.instances++
  const { exports } = new Instance(module, imports)
  const begin = (...values) => {
    if (trap.next) {
      trap.next = false
      throw new WebAssembly.RuntimeError('unreachable')
    }
    return exports.begin(...values)
  }
  return { exports: { ...exports, begin } }
}
