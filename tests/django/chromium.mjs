// Finds a Chromium for the tests: the program in CHROMIUM, an installed one, or one from npm, whose package contains the
// program. It is unpacked into target/chromium once (60 MB from the registry, 220 MB on the disk).

import { spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, createReadStream, createWriteStream, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createBrotliDecompress } from 'node:zlib'
import { ROOT, alone, atLeast, run, say } from '../../scripts/tools.mjs'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']
const LOCK = join(ROOT, 'tests', 'django', 'npm')
const OUT = join(ROOT, 'target', 'chromium')
const PROGRAM = join(OUT, 'chromium')
const PACKAGE = '@sparticuz/chromium'
const NODE = '20.11.0' // required by the package
const REMEDY = 'Install one (Debian: apt install chromium), or name one by CHROMIUM.'

/**
 * A browser that runs on this computer, or the reason why there is none.
 *
 * @returns {Promise<{ program?: string, env?: object, missing?: string }>}
 */
export async function findChromium() {
  const named = process.env.CHROMIUM
  if (named) return starts(named) ? { program: named } : { missing: `CHROMIUM names ${named}, which does not run` }
  const program = NAMES.find((name) => starts(name))
  return program ? { program } : fromNpm()
}

const starts = (program, env) => spawnSync(program, ['--version'], { env: { ...process.env, ...env }, timeout: 30_000 }).status === 0

async function fromNpm() {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    return { missing: `no Chromium is installed, and npm has none for ${process.platform} on ${process.arch}. ${REMEDY}` }
  }
  if (!atLeast(process.versions.node, NODE)) return { missing: `no Chromium is installed, and npm's needs Node.js ${NODE}. ${REMEDY}` }
  try {
    await alone('chromium', 15, unpack)
  } catch (error) {
    return { missing: `no Chromium is installed, and npm's could not be unpacked: ${error.message}. ${REMEDY}` }
  }
  const fonts = { FONTCONFIG_FILE: join(OUT, 'fonts.conf') }
  // The package's copies of NSS and expat, for a system without them.
  for (const env of [fonts, { ...fonts, LD_LIBRARY_PATH: join(OUT, 'lib') }]) {
    if (starts(PROGRAM, env)) return { program: PROGRAM, env }
  }
  return { missing: `no Chromium is installed, and npm's does not run here. ${REMEDY}` }
}

async function unpack() {
  const stamp = join(OUT, 'installed')
  const lockFile = readFileSync(join(LOCK, 'package-lock.json'), 'utf8')
  if (existsSync(PROGRAM) && existsSync(stamp) && readFileSync(stamp, 'utf8') === lockFile) return
  say('No Chromium is installed here: fetching one from npm, for the tests alone (60 MB) ...')
  rmSync(OUT, { recursive: true, force: true })
  const npm = join(OUT, 'npm')
  mkdirSync(npm, { recursive: true })
  for (const name of ['package.json', 'package-lock.json']) copyFileSync(join(LOCK, name), join(npm, name))
  if ((await run('npm', ['ci', '--prefix', npm, '--ignore-scripts', '--no-audit', '--no-fund'], { quiet: true })) !== 0) throw new Error('npm ci failed')
  const packed = (name) => join(npm, 'node_modules', PACKAGE, 'bin', `${name}.br`)
  for (const name of ['al2023.tar', 'swiftshader.tar', 'fonts.tar', 'chromium']) {
    const file = join(OUT, `${name}.part`)
    await pipeline(createReadStream(packed(name)), createBrotliDecompress(), createWriteStream(file))
    if (name !== 'chromium') {
      const { status, stderr } = spawnSync('tar', ['-xf', file, '--no-same-owner', '-C', OUT])
      if (status !== 0) throw new Error(`tar: ${stderr ?? 'is missing'}`)
      rmSync(file)
    }
  }
  rmSync(npm, { recursive: true })
  writeFileSync(
    join(OUT, 'fonts.conf'),
    `<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig><dir>/usr/share/fonts</dir><dir>${OUT}/fonts</dir><cachedir>${OUT}/fonts-cache</cachedir></fontconfig>\n`,
  )
  chmodSync(`${PROGRAM}.part`, 0o755)
  renameSync(`${PROGRAM}.part`, PROGRAM)
  writeFileSync(stamp, lockFile)
}
