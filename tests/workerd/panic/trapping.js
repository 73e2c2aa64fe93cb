// Lets wasm trap for real, while it calls JavaScript: in the import whose name starts so. Must be loaded before the worker
// is: the glue makes its instance then.

export const trap = { instances: 0, where: undefined, how: undefined }

const { Instance } = WebAssembly

/** Each traps within wasm, or unwinds it. */
const TRAPS = {
  // A vector of over 2^31 bytes: Rust panics with «capacity overflow».
  panic: ({ room }) => room(0x80000001),
  // Calls of wasm and JavaScript in each other, until the stack is full.
  'stack overflow': (exports) => {
    const deeper = () => {
      exports.room(1)
      deeper()
    }
    deeper()
  },
  // More than the 4 GiB that a memory of wasm may have. What is not written takes none of the machine's memory.
  'out of memory': ({ __wbindgen_malloc: allocate }) => {
    for (let n = 0; n < 10; n++) allocate(500_000_000, 1)
  },
}

WebAssembly.Instance = function (module, imports) {
  trap.instances++
  const spaces = Object.entries(imports).map(([space, items]) => [space, { ...items }])
  for (const [, items] of spaces) {
    for (const [name, item] of Object.entries(items)) {
      if (typeof item !== 'function') continue
      items[name] = function (...values) {
        if (trap.where !== undefined && name.startsWith(trap.where)) {
          trap.where = undefined
          TRAPS[trap.how](instance.exports)
        }
        return item.apply(this, values)
      }
    }
  }
  const instance = new Instance(module, Object.fromEntries(spaces))
  return instance
}
