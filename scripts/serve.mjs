// npm run serve: the built worker in workerd, in front of any HTTP origin.
// Standard output has only the log, one JSON object a line; messages for the user go to standard error.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { build } from './build.mjs'
import { readRules } from './rules.mjs'
import { setup } from './setup.mjs'
import { ROOT, Problem, isPortFree, main, portFrom, say, untilStopped, userPath } from './tools.mjs'

const USAGE = `Usage: npm run serve -- --origin URL [--port N] [--rules FILE]

  --origin URL   where requests go; hosts named under [vars.EDGEKEEP.origins] keep theirs
  --port N       port of 127.0.0.1 to listen on (8787)
  --rules FILE   TOML with a table [vars.EDGEKEEP], in the form of wrangler.toml (default: wrangler.toml itself)

PURGE_SECRETS, and the secrets that [[vars.EDGEKEEP.keys]] name, come from the environment or from .dev.vars.`

async function serve(args) {
  const options = readOptions(args)
  if (options.help) return say(USAGE)
  await setup()
  const rules = await rulesFor(options)
  if (!(await isPortFree(options.port))) {
    throw new Problem(`Port ${options.port} of 127.0.0.1 is in use.\nEnd what uses it, or choose another with --port N.`)
  }
  await build()
  const vars = secretsFor(rules)
  const { startWorker } = await import('./workerd.mjs')
  const early = []
  let onLog = (line) => early.push(line)
  const worker = await startWorker({ rules, vars, port: options.port, onLog: (line) => onLog(line) })
  try {
    await checkRules(worker.url(), early)
    onLog = (line) => console.log(line)
    say(`\nEdgekeep listens on ${worker.url()}${rules.origin ? `, in front of ${rules.origin}` : ''}. Ctrl-C ends it.`)
    const names = Object.keys(vars)
    say(names.length === 0 ? 'PURGE_SECRETS is not set: every purge will be refused.' : `Purges are proven by ${names.join(', ')}.`)
    await untilStopped()
  } finally {
    await worker.stop()
  }
}

function readOptions(args) {
  let values
  try {
    ;({ values } = parseArgs({
      args,
      options: {
        origin: { type: 'string' },
        port: { type: 'string', default: '8787' },
        rules: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    }))
  } catch (error) {
    throw new Problem(`${error.message}\n\n${USAGE}`)
  }
  if (values.help) return values
  return { ...values, port: portFrom(values.port), origin: originFrom(values.origin) }
}

function originFrom(text) {
  if (text === undefined) return undefined
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return text
  throw new Problem(`--origin ${text}: an origin is a URL such as http://127.0.0.1:3000 or https://www.example.com.`)
}

async function rulesFor({ origin, rules: file }) {
  const rules = file === undefined ? await readRules(join(ROOT, 'wrangler.toml'), {}) : await readRules(userPath(file))
  if (origin !== undefined) rules.origin = origin
  if (rules.origin === undefined && rules.origins === undefined) {
    throw new Problem(`Say which origin to stand in front of.\n\n${USAGE}`)
  }
  return rules
}

/** The secrets that are set, by name. The environment overrides .dev.vars, as with wrangler. */
function secretsFor(rules) {
  const keys = Array.isArray(rules.keys) ? rules.keys : [] // the worker reports errors in them
  const names = ['PURGE_SECRETS', ...keys.map((key) => key?.secret).filter((name) => /^\w+$/.test(name))]
  const file = join(ROOT, '.dev.vars')
  const vars = existsSync(file) ? readFileSync(file, 'utf8') : ''
  const found = names.map((name) => [name, process.env[name] || devVar(vars, name)])
  return Object.fromEntries(found.filter(([, value]) => value))
}

/** .dev.vars has lines of the form NAME=value or NAME="value". */
function devVar(vars, name) {
  const [, value] = vars.match(new RegExp(`^\\s*(?:export\\s+)?${name}\\s*=\\s*(.*?)\\s*$`, 'm')) ?? []
  return value?.replace(/^(["'])(.*)\1$/, '$2')
}

/**
 * Checks the settings by a request: if the worker refuses them, it responds 500 to every request and logs the field. `log`
 * collects the worker's messages meanwhile, which are shown only for an error, because no visitor sent this request.
 */
async function checkRules(url, log) {
  const answer = await fetch(`${url}/.edgekeep/purge`, { signal: AbortSignal.timeout(10_000) })
  await answer.arrayBuffer()
  if (answer.status !== 500) return
  await new Promise((resolve) => setTimeout(resolve, 200)) // the log comes by another channel than the response
  for (const line of log) console.log(line)
  throw new Problem('The worker refuses these rules: its log, above, names the field.')
}

await main(import.meta.url, serve)
