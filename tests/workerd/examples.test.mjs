// The README's calls of the webhook, copied and run: each language must get a receipt from the built worker.

import { after, before, describe, it } from 'node:test'
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { SECRET, Stand } from './stand.mjs'

const README = new URL('../../README.md', import.meta.url)
const SITE = 'https://www.example.com'

// name in the README, fence, file, programs it needs (the first runs it), arguments before the file's name
const LANGUAGES = [
  ['Shell', 'sh', 'purge.sh', ['sh', 'curl', 'openssl', 'od'], []],
  ['Python', 'python', 'purge.py', ['python3'], []],
  ['JavaScript', 'js', 'purge.mjs', ['node'], []],
  ['PHP', 'php', 'purge.php', ['php'], []],
  ['Ruby', 'ruby', 'purge.rb', ['ruby'], []],
  ['Go', 'go', 'purge.go', ['go'], ['run']],
]

describe('the examples of the README', () => {
  let stand, folder, readme
  before(async () => {
    readme = await readFile(README, 'utf8')
    folder = await mkdtemp(join(tmpdir(), 'edgekeep-examples-'))
    stand = await Stand.start()
  })
  after(async () => {
    await stand?.stop()
    if (folder) await rm(folder, { recursive: true })
  })

  for (const [name, fence, file, programs, words] of LANGUAGES) {
    it(name, { timeout: 120_000 }, async (t) => {
      const code = example(readme, name, fence)
      for (const program of programs) if (!(await isInstalled(program))) return t.skip(`${program} is not installed`)
      const path = join(folder, file)
      const fill = (secret) => code.replaceAll(SITE, stand.worker.url()).replaceAll('whsec_…', secret)
      await writeFile(path, fill(SECRET))
      const { status, output } = await run(programs[0], [...words, path], folder)
      assert.equal(status, 0, output)
      assert.match(output, /sequence/, output)
      assert.match(output, /in_force_at/, output)
      // With another secret it must fail, and say so.
      await writeFile(path, fill(`whsec_${'A'.repeat(32)}`))
      const refused = await run(programs[0], [...words, path], folder)
      assert.match(refused.output, /401/, `${name}: a refusal must be told\n${refused.output}`)
    })
  }
})

function example(readme, name, fence) {
  const start = readme.indexOf(`<summary><b>${name}</b></summary>`)
  assert.ok(start >= 0, `the README has no example for ${name}`)
  const found = readme.slice(start).match(new RegExp('```' + fence + '\\n([\\s\\S]*?)```'))
  assert.ok(found && found.index < 120, `the README's example for ${name} has no code`)
  return found[1]
}

async function isInstalled(program) {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    try {
      await access(join(folder, program))
      return true
    } catch {
      // Look on.
    }
  }
  return false
}

function run(program, args, folder) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env: { ...process.env, HOME: folder, GOCACHE: join(folder, 'go'), GO111MODULE: 'off' }, timeout: 90_000 })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => { output += chunk })
    child.on('error', reject)
    child.on('close', (status) => resolve({ status, output }))
  })
}
