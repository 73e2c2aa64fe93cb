// A watcher of events: a WebSocket client on a bare connection, which tests can break off, stop reading, and send anything by.

import { createHash, randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { until } from './wire.mjs'

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11' // RFC 6455 §1.3

export class Watcher {
  /** The messages, as objects. */
  messages = []
  pongs = 0
  /** The code and the reason of the close frame; undefined while there is none. */
  closed
  /** Whether the connection has ended. */
  ended = false
  onMessage = () => {}
  #bytes = Buffer.alloc(0)

  /**
   * Connects; resolves when there is a head. `head` is its text, and `status` its status: it is no watcher if that is not 101.
   *
   * @param {string} base address of the socket, `http://127.0.0.1:port`
   * @param {object} [options]
   * @param {number} [options.after]
   * @param {string} [options.token]    as `Authorization`
   * @param {string} [options.protocols] the value of `Sec-WebSocket-Protocol`
   * @param {[string, string][]} [options.fields]
   */
  static connect(base, { after, token, protocols, host = 'events.test', fields = [] } = {}) {
    const watcher = new Watcher()
    const { hostname, port } = new URL(base)
    const key = randomBytes(16).toString('base64')
    const lines = [
      `GET /.edgekeep/events${after === undefined ? '' : `?after=${after}`} HTTP/1.1`,
      `Host: ${host}`, 'Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Version: 13', `Sec-WebSocket-Key: ${key}`,
      ...(token ? [`Authorization: Bearer ${token}`] : []),
      ...(protocols ? [`Sec-WebSocket-Protocol: ${protocols}`] : []),
      ...fields.map(([name, value]) => `${name}: ${value}`),
    ]
    return new Promise((resolve, reject) => {
      const socket = connect(Number(port), hostname, () => socket.write(`${lines.join('\r\n')}\r\n\r\n`))
      watcher.socket = socket
      const timer = setTimeout(() => socket.destroy(new Error('no head in 20 s')), 20_000)
      socket.on('error', reject)
      socket.on('close', () => {
        clearTimeout(timer)
        watcher.ended = true
        if (watcher.head === undefined) reject(new Error('the connection ended before a head'))
      })
      socket.on('data', (bytes) => {
        watcher.#bytes = Buffer.concat([watcher.#bytes, bytes])
        if (watcher.head === undefined) {
          const end = watcher.#bytes.indexOf('\r\n\r\n')
          if (end < 0) return
          watcher.head = watcher.#bytes.toString('latin1', 0, end)
          watcher.status = Number(watcher.head.split(' ')[1])
          watcher.#bytes = watcher.#bytes.subarray(end + 4)
          clearTimeout(timer)
          const accept = createHash('sha1').update(key + GUID).digest('base64')
          if (watcher.status === 101 && !watcher.head.includes(accept)) return reject(new Error(`not a WebSocket: ${watcher.head}`))
          resolve(watcher)
        }
        if (watcher.status === 101) watcher.#read()
      })
    })
  }

  field(name) {
    const line = this.head.split('\r\n').find((one) => one.toLowerCase().startsWith(`${name}:`))
    return line?.slice(name.length + 1).trim()
  }

  #read() {
    for (;;) {
      const frame = readFrame(this.#bytes)
      if (!frame) return
      this.#bytes = this.#bytes.subarray(frame.end)
      const { opcode, payload } = frame
      if (opcode === 8) {
        this.closed = { code: payload.length === 0 ? 1005 : payload.readUInt16BE(0), reason: payload.toString('utf8', 2) }
        this.#send(8, payload.subarray(0, 2))
        this.socket.end()
      } else if (opcode === 1 && payload.toString() === 'pong') {
        this.pongs += 1
      } else if (opcode === 1) {
        const message = JSON.parse(payload)
        this.messages.push(message)
        this.onMessage(message, payload.length)
      } else {
        throw new Error(`a frame of opcode ${opcode}`)
      }
    }
  }

  #send(opcode, payload) {
    if (this.socket.destroyed) return
    const mask = randomBytes(4)
    const masked = Buffer.from(payload).map((byte, at) => byte ^ mask[at % 4])
    const length = masked.length < 126 ? [0x80 | masked.length] : [0x80 | 126, masked.length >> 8, masked.length & 255]
    this.socket.write(Buffer.concat([Buffer.from([0x80 | opcode, ...length]), mask, masked]))
  }

  /** Sends a text. */
  say(text) {
    this.#send(1, text)
  }

  /** Closes as RFC 6455 says. */
  close(code = 1000) {
    this.#send(8, code === 1005 ? Buffer.alloc(0) : Buffer.from([code >> 8, code & 255]))
  }

  /** Breaks the connection off. */
  drop() {
    this.socket.destroy()
  }

  /** Whether so many messages came in time. */
  count(number, milliseconds = 10_000) {
    return until(() => this.messages.length >= number, milliseconds)
  }
}

/** The first frame of the bytes, if it is whole. The ledger's frames are not fragmented. */
function readFrame(bytes) {
  if (bytes.length < 2) return undefined
  let [at, length] = [2, bytes[1] & 127]
  if (length === 126) {
    if (bytes.length < 4) return undefined
    ;[at, length] = [4, bytes.readUInt16BE(2)]
  } else if (length === 127) {
    if (bytes.length < 10) return undefined
    ;[at, length] = [10, Number(bytes.readBigUInt64BE(2))]
  }
  const end = at + length
  if (bytes.length < end) return undefined
  return { opcode: bytes[0] & 15, payload: bytes.subarray(at, end), end }
}
