// The site in tests/frameworks/nextjs, built and served by Next.js. Its packages are installed from npm into target/.

import { spawn } from 'node:child_process'
import { cpSync, existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { ROOT, Problem, run } from '../../scripts/tools.mjs'
import { sleep } from '../workerd/wire.mjs'

const SOURCES = join(ROOT, 'tests', 'frameworks', 'nextjs')
const SITE = join(ROOT, 'target', 'frameworks', 'nextjs')
const READY_MS = 30_000

/** Copies the sources, installs missing packages, and builds the site. */
export async function prepareNext() {
  const wanted = readFileSync(join(SOURCES, 'package.json'), 'utf8')
  const installed = join(SITE, 'package.json')
  const isInstalled = existsSync(join(SITE, 'node_modules', 'next')) && existsSync(installed) && readFileSync(installed, 'utf8') === wanted
  cpSync(SOURCES, SITE, { recursive: true })
  if (!isInstalled && (await run('npm', ['install', '--no-audit', '--no-fund', '--no-package-lock'], { cwd: SITE, quiet: true })) !== 0) {
    throw new Problem(`npm install failed in ${SITE}`)
  }
  const env = { NEXT_TELEMETRY_DISABLED: '1', NODE_ENV: 'production' }
  const next = join(SITE, 'node_modules', 'next', 'dist', 'bin', 'next')
  if ((await run(process.execPath, [next, 'build'], { cwd: SITE, env, quiet: true })) !== 0) throw new Problem('next build failed')
  cpSync(join(SITE, '.next', 'static'), join(SITE, '.next', 'standalone', '.next', 'static'), { recursive: true })
}

/** Starts the built site on a free port of this computer. */
export async function startNext() {
  const port = await freePort()
  const env = { ...process.env, PORT: String(port), HOSTNAME: '127.0.0.1', NODE_ENV: 'production' }
  const child = spawn(process.execPath, [join(SITE, '.next', 'standalone', 'server.js')], { cwd: SITE, env, stdio: 'ignore' })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const url = `http://127.0.0.1:${port}`
  const stop = async () => {
    child.kill()
    await ended
  }
  for (const until = Date.now() + READY_MS; ; await sleep(100)) {
    if (await fetch(url).then(() => true, () => false)) return { url, stop }
    if (child.exitCode !== null || Date.now() > until) {
      await stop()
      throw new Problem('the Next.js server does not start')
    }
  }
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}
