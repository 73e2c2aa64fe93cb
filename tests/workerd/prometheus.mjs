// Prometheus for the tests: the program in PROMETHEUS, an installed one, or Debian's package, unpacked into target/prometheus.

import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ROOT, alone } from '../../scripts/tools.mjs'
import { until } from './wire.mjs'

const OUT = join(ROOT, 'target', 'prometheus')
const UNPACKED = join(OUT, 'usr', 'bin', 'prometheus')

const starts = (program) => spawnSync(program, ['--version'], { timeout: 30_000 }).status === 0

/** The path of a Prometheus that runs here, or undefined. */
export async function findPrometheus() {
  const named = process.env.PROMETHEUS ?? 'prometheus'
  if (starts(named)) return named
  try {
    if (!existsSync(UNPACKED)) await alone('prometheus', 5, unpack)
  } catch {
    return undefined // no apt-get, or no package
  }
  return starts(UNPACKED) ? UNPACKED : undefined
}

async function unpack() {
  mkdirSync(OUT, { recursive: true })
  execFileSync('apt-get', ['download', 'prometheus'], { cwd: OUT, stdio: 'ignore' })
  const [file] = readdirSync(OUT).filter((name) => name.endsWith('.deb'))
  execFileSync('dpkg-deb', ['-x', join(OUT, file), OUT])
}

const freePort = () => new Promise((resolve, reject) => {
  const server = createServer()
  server.on('error', reject)
  server.listen(0, '127.0.0.1', () => {
    const { port } = server.address()
    server.close(() => resolve(port))
  })
})

export class Prometheus {
  /** Starts one that scrapes a target each second. */
  static async start(program, { target, path, token }) {
    const it = new Prometheus()
    it.folder = mkdtempSync(join(tmpdir(), 'edgekeep-prometheus-'))
    const config = join(it.folder, 'prometheus.yml')
    const job = { job_name: 'edgekeep', scrape_interval: '1s', metrics_path: path, authorization: { credentials: token }, static_configs: [{ targets: [target] }] }
    writeFileSync(config, JSON.stringify({ scrape_configs: [job] })) // JSON is YAML
    it.url = `http://127.0.0.1:${await freePort()}`
    const args = [`--config.file=${config}`, `--storage.tsdb.path=${join(it.folder, 'data')}`, `--web.listen-address=${it.url.slice('http://'.length)}`]
    it.child = spawn(program, args, { stdio: 'ignore' })
    it.ended = new Promise((resolve) => it.child.on('exit', resolve))
    const ready = await until(async () => (await fetch(`${it.url}/-/ready`).catch(() => ({}))).ok, 30_000, 200)
    if (!ready) {
      await it.stop()
      throw new Error('Prometheus does not start')
    }
    return it
  }

  /** The values of a query, by the labels that are given. */
  async query(expression) {
    const response = await fetch(`${this.url}/api/v1/query?${new URLSearchParams({ query: expression })}`)
    const { data } = await response.json()
    return data.result.map(({ metric, value }) => ({ ...metric, value: Number(value[1]) }))
  }

  /** The state of its targets. */
  async targets() {
    const response = await fetch(`${this.url}/api/v1/targets`)
    return (await response.json()).data.activeTargets
  }

  async stop() {
    this.child.kill()
    await this.ended
    rmSync(this.folder, { recursive: true, force: true })
  }
}
