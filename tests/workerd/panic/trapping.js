// Makes wasm trap while it calls JavaScript, in the import whose name starts with `where`. Must be loaded before the worker,
// whose glue creates the instance.

export const trap = { instances: 0, where: undefined, how: undefined }

const { Instance } = WebAssembly

/** Each function traps within wasm, or unwinds it. */
const TRAPS = {
  // A vector of more than 2^31 bytes: Rust panics with «capacity overflow».
  panic: ({ room }) => room(0x80000001),
  // Nested calls of wasm and JavaScript until the stack is full.
  'stack overflow': (exports) => {
    const deeper = () => {
      exports.room(1)
      deeper()
    }
    deeper()
  },
  // More than the limit of 4 GiB of a wasm memory. Pages that are not written take no memory of the machine.
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
