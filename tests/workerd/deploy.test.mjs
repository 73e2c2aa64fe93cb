// Bundle that `npx wrangler deploy` would upload, from the shipped wrangler.toml. A dry run without a login: nothing is
// sent.

import { it } from 'node:test'
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const WRANGLER = join(ROOT, 'node_modules/wrangler/bin/wrangler.js')
/** The platform's limit for a compressed Worker on the free plan. */
const LIMIT_BYTES = 3 * 1024 * 1024

it('wrangler deploy --dry-run bundles the worker', { timeout: 600_000 }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'edgekeep-deploy-'))
  try {
    const env = {
      ...process.env,
      CI: 'true',
      WRANGLER_SEND_METRICS: 'false',
      WRANGLER_HIDE_BANNER: 'true',
      XDG_CONFIG_HOME: join(folder, 'config'), // ignores a login on this computer
      CLOUDFLARE_API_TOKEN: '',
    }
    const out = join(folder, 'out')
    const run = promisify(execFile)(process.execPath, [WRANGLER, 'deploy', '--dry-run', '--outdir', out], { cwd: ROOT, env })
    const { stdout, stderr } = await run.catch((error) => assert.fail(`${error.message}\n${error.stdout}\n${error.stderr}`))
    // Standard error has wrangler's warnings and the progress of the build.
    assert.doesNotMatch(stdout + stderr, /warning|▲/i, 'the dry run prints a warning')
    for (const binding of ['EDGEKEEP_KV', 'EDGEKEEP_LEDGER']) assert.ok(stdout.includes(binding), `no binding ${binding}:\n${stdout}`)

    const files = readdirSync(out).filter((name) => /\.(js|wasm)$/.test(name))
    assert.ok(files.some((name) => name.endsWith('.js')), `no script in the bundle: ${files}`)
    assert.ok(files.some((name) => name.endsWith('.wasm')), `no wasm in the bundle: ${files}`)
    let total = 0
    for (const name of files) {
      const bytes = readFileSync(join(out, name))
      const packed = gzipSync(bytes).length
      total += packed
      t.diagnostic(`${name}: ${kib(bytes.length)}, ${kib(packed)} compressed`)
    }
    assert.ok(total < LIMIT_BYTES, `${kib(total)} compressed is above the platform's limit`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

const kib = (bytes) => `${(bytes / 1024).toFixed(1)} KiB`
