// Python for the example blog: a virtual environment in its folder, created once, with pinned versions.

import { createHash } from 'node:crypto'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT, Problem, alone, atLeast, output, run, say } from '../tools.mjs'

export const BLOG = join(ROOT, 'examples', 'django-blog')
export const CLIENT = join(ROOT, 'clients', 'django')

const PYTHON = '3.10'
const VENV = join(BLOG, '.venv')
const STAMP = join(VENV, '.installed')

/** The interpreter of the environment. */
export const python = join(VENV, 'bin', 'python')

/**
 * Creates the environment unless it exists. `tests` adds the packages of the tests.
 *
 * @param {{ tests?: boolean }} [options]
 */
export async function prepareVenv({ tests = false } = {}) {
  const system = findPython()
  await alone('django', 15, async () => {
    const wanted = ['requirements.txt', ...(tests ? ['requirements-test.txt'] : [])]
    const stamps = wanted.map((file) => `${file} ${digest(system, join(BLOG, file), join(CLIENT, 'pyproject.toml'))}`)
    const installed = existsSync(STAMP) && existsSync(python) ? readFileSync(STAMP, 'utf8').split('\n') : []
    if (stamps.every((stamp) => installed.includes(stamp))) return
    if (installed.length > 0 && !installed.includes(stamps[0])) rmSync(VENV, { recursive: true, force: true })
    if (!existsSync(python)) await makeVenv(system)
    say(`Installing ${wanted.at(-1)} of the blog (half a minute the first time) ...`)
    const args = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...wanted.flatMap((file) => ['-r', file])]
    if ((await run(python, args, { quiet: true, cwd: BLOG })) !== 0) {
      throw new Problem('pip install failed (its messages are above).\nCheck the connection to the Python package index and try again.')
    }
    writeFileSync(STAMP, stamps.join('\n'))
  })
}

/** Throws if the environment cannot be created; `advice` is an alternative for the message. */
export function checkPython(advice) {
  try {
    const version = findPython()
    // Debian has separate packages for these, and reports that only when the environment is half complete.
    if (existsSync(python) || output('python3', ['-c', 'import venv, ensurepip']) !== undefined) return
    throw new Problem(`Python ${version} cannot make virtual environments here.\nDebian, Ubuntu: apt install python3-venv.`)
  } catch (error) {
    throw error instanceof Problem ? new Problem(`The tests with Django: ${error.message}\n${advice}`) : error
  }
}

/** The system's Python if it is new enough. */
export function findPython() {
  if (process.platform === 'win32') throw new Problem('The blog needs gunicorn, which does not run on Windows itself.\nUse WSL: https://learn.microsoft.com/windows/wsl')
  const version = output('python3', ['--version'])?.split(' ').at(-1)
  if (version && atLeast(version, PYTHON)) return version
  throw new Problem(
    `${version ? `Python ${PYTHON} or newer is needed; this is ${version}` : 'python3 is missing'}.\n` +
      'Debian, Ubuntu: apt install python3 python3-venv. Fedora: dnf install python3. macOS: brew install python.',
  )
}

async function makeVenv(version) {
  say('Making a virtual environment in examples/django-blog/.venv ...')
  rmSync(VENV, { recursive: true, force: true })
  if ((await run('python3', ['-m', 'venv', VENV], { quiet: true })) === 0) return
  rmSync(VENV, { recursive: true, force: true })
  throw new Problem(`python3 -m venv failed (its messages are above) with Python ${version}.\nDebian, Ubuntu: apt install python3-venv.`)
}

function digest(version, ...files) {
  const hash = createHash('sha256').update(version)
  for (const file of files) hash.update(readFileSync(file))
  return hash.digest('hex').slice(0, 16)
}
