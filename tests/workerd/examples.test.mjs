// The programs of examples/purge. Each gets a receipt from the built worker, and fails and prints the status when its order
// is refused. A language that is not installed is skipped.

import { after, before, describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { access, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { SECRET, Stand } from './stand.mjs'

const EXAMPLES = fileURLToPath(new URL('../../examples/purge', import.meta.url))
const HOST = 'www.example.com'

// file, required programs (the first one runs it), arguments before the file's name, order, selector in its receipt
const PROGRAMS = [
  ['purge.sh', ['sh', 'curl', 'openssl', 'od'], [], { tags: ['front'] }, 'tag:front'],
  ['purge.py', ['python3'], [], { tags: ['front'], soft: true }, 'tag:front'],
  ['purge.mjs', ['node'], [], { files: [`https://${HOST}/`] }, `url:${HOST}/`],
  ['purge.php', ['php'], [], { prefixes: [`${HOST}/blog`] }, `prefix:${HOST}/blog`],
  ['purge.rb', ['ruby'], [], { hosts: [HOST] }, `host:${HOST}`],
  ['purge.go', ['go'], ['run'], { purge_everything: true, soft: true }, '"everything"'],
]

describe('the programs of examples/purge', () => {
  let stand, folder
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'edgekeep-examples-'))
    stand = await Stand.start()
  })
  after(async () => {
    await stand?.stop()
    if (folder) await rm(folder, { recursive: true })
  })

  it('are all in the table of this test', async () => {
    const programs = (await readdir(EXAMPLES)).filter((file) => file.startsWith('purge.'))
    assert.deepEqual(programs.sort(), PROGRAMS.map(([file]) => file).sort())
  })

  for (const [file, programs, words, order, selector] of PROGRAMS) {
    it(`${file} purges, and fails when its order is refused`, { timeout: 120_000 }, async (t) => {
      for (const program of programs) if (!(await isInstalled(program))) return t.skip(`${program} is not installed`)
      if (file === 'purge.php' && !(await hasCurl(folder))) return t.skip("PHP's curl extension is not installed")
      const args = [...words, join(EXAMPLES, file), JSON.stringify(order)]
      const send = (secret) => run(programs[0], args, { folder, EDGEKEEP_SITE: stand.worker.url(), EDGEKEEP_SECRET: secret })
      const { status, output } = await send(SECRET)
      assert.equal(status, 0, output)
      for (const word of ['"sequence"', '"in_force_at"', selector]) assert.ok(unescaped(output).includes(word), output)
      const refused = await send(`whsec_${'A'.repeat(32)}`)
      assert.notEqual(refused.status, 0, `${file} must exit with an error when its order is refused\n${refused.output}`)
      assert.match(refused.output, /401/, `${file} must print the status when its order is refused\n${refused.output}`)
    })
  }
})

/** PHP prints `\/` for `/`. */
const unescaped = (text) => text.replaceAll('\\/', '/').replaceAll('": ', '":')

async function isInstalled(program) {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    try {
      await access(join(folder, program))
      return true
    } catch {
      // Try the next folder.
    }
  }
  return false
}

const hasCurl = async (folder) => (await run('php', ['-r', 'exit(extension_loaded("curl") ? 0 : 1);'], { folder })).status === 0

function run(program, args, { folder, ...variables }) {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, HOME: folder, GOCACHE: join(folder, 'go'), GO111MODULE: 'off', ...variables }
    const child = spawn(program, args, { env, timeout: 90_000 })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => { output += chunk })
    child.on('error', reject)
    child.on('close', (status) => resolve({ status, output }))
  })
}
