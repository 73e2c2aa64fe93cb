// npm run bench: compares the cost of Edgekeep with the usual recipe in JavaScript and with Hono's middleware, in plain
// workerd and in one run. Writes target/bench/report.json and a chart. `--exact` measures only the exact numbers, and fails
// if one is above the recorded number (tests/bench/recorded.json).

import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { build } from './build.mjs'
import { ROOT, Problem, main, output, run, say } from './tools.mjs'

const BENCH = join(ROOT, 'tests', 'bench')
const OUT = join(ROOT, 'target', 'bench')
const USAGE = `Usage: npm run bench [-- --exact | --quick | --aborts] [--cpu] [--record] [--build FOLDER]

  --exact         only calls, sizes and the instructions of pure functions; fails if they have grown
  --aborts        only what readers who leave cost those who stay (nine minutes)
  --quick         fewer windows: ratios within some percent
  --cpu           CPU time instead of instructions
  --record        writes what was counted exactly to tests/bench/recorded.json
  --build FOLDER  another built worker than build/`

async function bench(options) {
  mkdirSync(OUT, { recursive: true })
  const folder = options.build ?? join(ROOT, 'build')
  if (options.build === undefined) await build()
  const context = { ...(await import('../tests/bench/exact.mjs')), folder, compatibility: await compatibility(), rows: [] }
  if (options.aborts) return compareAborts(context)
  await countExactly(context, options)
  if (!options.exact) await measure(context, options)
  const text = table(context.rows)
  console.log(text)
  if (!options.exact) await report(context)
  const { worse, better } = context
  for (const line of better) say(`less than recorded; npm run bench -- --exact --record: ${line}`)
  if (worse.length > 0) throw new Problem(`More than recorded in tests/bench/recorded.json:\n${worse.join('\n')}`)
}

/** Response times during a load of requests that are reset. */
async function compareAborts({ folder, compatibility }) {
  say('Readers, beside 200 requests a second that are reset (nine minutes) ...')
  const { aborts } = await import('../tests/bench/aborts.mjs')
  const { edgekeep, recipe } = await aborts({ build: folder, compatibility })
  const ratio = (worker) => worker.p99.during / worker.p99.before
  const rows = []
  for (const [name, found] of [['', edgekeep], ['recipe: ', recipe]]) {
    rows.push({ what: `${name}requests that were reset`, unit: 'a second', value: found.resetsASecond })
    for (const share of ['median', 'p95', 'p99']) {
      rows.push({ what: `${name}readers, ${share} before`, unit: 'ms', value: found[share].before })
      rows.push({ what: `${name}… and meanwhile`, unit: 'ms', value: found[share].during })
    }
    rows.push({ what: `${name}p99, meanwhile over before`, unit: '×', value: ratio(found) })
  }
  rows.push({ what: 'p99 ratio over that of the recipe', unit: '×', value: ratio(edgekeep) / ratio(recipe), goal: 2 })
  rows.push({ what: 'growth of wasm memory in a minute', unit: 'MB', value: edgekeep.wasmGrowthBytes / 1e6, goal: 0.1 })
  rows.push({ what: 'growth of the process in a minute', unit: 'MB', value: edgekeep.processGrowthBytes / 1e6 })
  console.log(table(rows))
}

/** Calls, sizes, instructions of pure functions. */
async function countExactly(context, { record }) {
  const { folder, compatibility, rows } = context
  say('Counting the calls of a hit and a miss ...')
  const hit = await context.hitCalls({ build: folder, compatibility })
  const sizes = context.sizes(folder)
  rows.push({ what: 'crossings between wasm and JS, a hit in the Cache API', value: hit.crossings })
  const inMemory = await context.hitCalls({ build: folder, compatibility, tier: 'memory' })
  rows.push({ what: 'crossings, a hit in isolate memory', value: inMemory.crossings })
  const miss = await context.missCalls({ build: folder, compatibility })
  rows.push({ what: 'crossings, a miss and its copy in the Cache API', value: miss.crossings })
  rows.push({ what: 'KV, ledger and origin calls, 50 warm hits', value: hit.kv + hit.ledger + hit.origin, goal: 0 })
  rows.push({ what: 'wasm and JS, gzip', unit: 'KB', value: sizes.together / 1000, goal: 600 })
  const counted = { crossings: { hit: hit.crossings, memory: inMemory.crossings, miss: miss.crossings }, bytes: sizes }
  Object.assign(context, { hit })
  say('Building and measuring the pure functions ...')
  const program = context.pureProgram()
  rows.push({ what: 'index of 100,000 purge selectors', unit: 'MB', value: context.indexBytes(program) / 1e6, goal: 8 })
  rows.push({ what: 'an entry of 100 tags judged by it', unit: 'µs', value: context.pureMicroseconds(program, 'judge-100-tags'), goal: 20 })
  if (context.hasValgrind()) {
    counted.instructions = context.pureInstructions(program)
    for (const [name, value] of Object.entries(counted.instructions)) rows.push({ what: `instructions: ${name}`, value })
  } else say('valgrind is missing: the instructions of pure functions are not counted. Debian, Ubuntu: apt install valgrind')
  if (record) writeRecord(context.recorded(), counted)
  const found = Object.entries(counted).map(([kind, numbers]) => context.changes(kind, numbers))
  context.worse = found.flatMap(({ worse }) => worse)
  context.better = found.flatMap(({ better }) => better)
}

function writeRecord(before, counted) {
  for (const [kind, numbers] of Object.entries(counted)) before[kind] = { margin: before[kind].margin, ...numbers }
  writeFileSync(join(BENCH, 'recorded.json'), `${JSON.stringify(before, null, 2)}\n`)
}

/** The measurements that are compared with the recipe. */
async function measure(context, options) {
  const measures = await import('../tests/bench/measure.mjs')
  const { hasCpuTime } = await import('../tests/bench/rig.mjs')
  if (!hasCpuTime()) throw new Problem('CPU times are read from /proc: this part of the bench needs Linux. npm run bench -- --exact does not.')
  const hono = await bundleHono()
  const counter = options.cpu ? undefined : await instructionCounter()
  context.unit = counter ? 'instructions' : 'CPU time'
  await compareRequests({ ...context, ...measures, hono, counter }, options)
  await compareFills({ ...context, ...measures }, options)
  await compareStartUps({ ...context, ...measures }, options)
}

async function starters(context, { hono, counter } = {}) {
  const { Worker } = await import('../tests/bench/rig.mjs')
  const { compatibility, folder } = context
  const js = (name, modules) => ({ name, start: () => Worker.start({ name, modules, compatibility, counter }) })
  const ours = (tier) => async () => {
    const more = { settings: context.policy(tier), secrets: context.TOKEN }
    const modules = context.builtFiles(folder)
    const worker = await Worker.start({ name: 'edgekeep', modules, compatibility, counter, ...more })
    return Object.assign(worker, { isOurs: true })
  }
  const file = context.workerFile
  return {
    constant: js('constant', [file('constant.js')]),
    recipe: js('recipe', [file('recipe.js')]),
    again: js('recipe again', [file('recipe.js')]),
    tee: js('tee', [file('tee.js')]),
    hono: js('hono', [hono]),
    edgekeep: { name: 'edgekeep', start: ours('cache-api') },
    inMemory: { name: 'edgekeep', start: ours('memory') },
  }
}

async function compareRequests(context, { quick }) {
  const { rows, counter } = context
  const { recipe, again, hono, edgekeep, inMemory } = await starters(context, context)
  say(`Hits, by ${context.unit} ${counter ? '(under qemu: some minutes) ' : ''}...`)
  const workers = []
  try {
    for (const { start } of [recipe, again, hono, edgekeep]) workers.push(await start())
    for (const worker of workers) await context.prepare(worker, context.TOKEN)
    // V8 compiles wasm quickly at first, and optimizes each function during about ten thousand calls.
    const plan = quick ? { warm: 6000, rounds: 8, size: 160 } : { warm: 12_000, rounds: 12, size: 400 }
    const hit = await context.hits(workers, plan)
    note(rows, ratios(context, 'hit in the Cache API', hit))
    const quicker = await inMemory.start()
    workers.push(quicker)
    await context.prepare(quicker, context.TOKEN)
    const others = workers.filter((worker) => worker.name !== 'edgekeep')
    const remembered = await context.hits([...others, quicker], { ...plan, tier: 'memory' })
    note(rows, ratios(context, 'hit in isolate memory', remembered))
    workers.pop()
    await quicker.stop()
    say('Misses ...')
    const fewer = quick ? { warm: 600, rounds: 6, size: 48 } : { warm: 2000, rounds: 10, size: 160 }
    const local = await context.misses(workers, { ...fewer, path: (n) => `/blog/local/${n}?b=2&a=1&utm_source=x` })
    note(rows, ratios(context, 'miss, kept in the Cache API', local))
    const both = await context.misses(workers, { ...fewer, path: (n) => `/blog/both/${n}?b=2&a=1&utm_source=x` })
    note(rows, ratios(context, 'miss, kept in KV too (by us alone)', both))
  } finally {
    for (const worker of workers) await worker.stop()
  }
}

/** Shows each result at once, because measuring takes minutes. */
function note(rows, row) {
  rows.push(row)
  if (row.value !== undefined) say(`  ${row.what}: ${row.value.toFixed(2)} ${row.unit}`)
}

/** A row of ratios to the recipe. */
function ratios({ compare, mean }, what, windows, goal) {
  const of = (name) => compare(windows.get(name), windows.get('recipe'))
  const { value, low, high } = of('edgekeep')
  const each = Object.fromEntries([...windows].map(([name, numbers]) => [name, mean(numbers)]))
  return { what, unit: '× recipe', value, low, high, goal, hono: of('hono').value, again: of('recipe again').value, each }
}

async function compareFills(context, { quick }) {
  const { rows, compare, median } = context
  const { tee, edgekeep } = await starters(context)
  say('Long bodies ...')
  const workers = []
  try {
    for (const { start } of [tee, edgekeep]) workers.push(await start())
    const { windows, memory } = await context.fills(workers, { rounds: quick ? 5 : 15 })
    const ratio = compare(windows.get('edgekeep'), windows.get('tee'), { of: median })
    note(rows, { what: '20 MB to a client and both tiers', unit: '× JS tee', ...ratio, goal: 1.2 })
    const [ours, theirs] = ['edgekeep', 'tee'].map((name) => median(memory.get(name)) / 1e6)
    note(rows, { what: '… growth of the process at its peak', unit: 'MB', value: ours, recipe: theirs, goal: 2 })
  } finally {
    for (const worker of workers) await worker.stop()
  }
  const { folder: build, compatibility } = context
  const growth = await context.wasmGrowth({ build, compatibility })
  note(rows, { what: '… growth of wasm memory', unit: 'MB', value: growth / 1e6, goal: 2 })
}

async function compareStartUps(context, { quick }) {
  const { rows, compare, median } = context
  const { constant, edgekeep } = await starters(context)
  say('Start-ups ...')
  const milliseconds = (windows) => {
    const by = (a, b) => (a - b) / 1e6
    return compare(windows.get('edgekeep'), windows.get('constant'), { of: median, by })
  }
  const rounds = quick ? 6 : 15
  const bypass = await context.startUps([constant, edgekeep], rounds, '/admin/')
  note(rows, { what: 'start-up over a constant worker, CPU time', unit: 'ms', ...milliseconds(bypass), goal: 60 })
  const miss = await context.startUps([constant, edgekeep], rounds, context.ARTICLE)
  note(rows, { what: '… with a first miss, and the ledger’s own start', unit: 'ms', ...milliseconds(miss) })
}

/** Compiles the plugin that counts instructions. Without it, CPU time is measured. */
async function instructionCounter() {
  const advice = 'Instructions cannot be counted, so CPU time is measured, which is less exact'
  if (output('qemu-x86_64', ['--version']) === undefined || process.arch !== 'x64') {
    return void say(`${advice}: qemu-x86_64 is missing. Debian, Ubuntu: apt install qemu-user`)
  }
  const [plugin, probe] = [join(OUT, 'count.so'), join(OUT, 'probe')]
  const made = output(process.env.CC || 'cc', ['-O2', '-shared', '-fPIC', '-o', plugin, join(BENCH, 'count.c')])
  if (made === undefined) return void say(`${advice}: tests/bench/count.c does not compile.`)
  if (output('qemu-x86_64', ['-plugin', `${plugin},out=${probe}`, '/bin/true']) === undefined) {
    return void say(`${advice}: this qemu does not take the plugin tests/bench/count.c.`)
  }
  return plugin
}

/** Installs Hono from npm into a separate folder, because only the bench needs it. */
async function bundleHono() {
  const folder = join(OUT, 'npm')
  const [bundle, entry] = [join(OUT, 'hono.js'), join(folder, 'hono.js')]
  mkdirSync(folder, { recursive: true })
  for (const name of ['package.json', 'package-lock.json']) copyFileSync(join(BENCH, 'npm', name), join(folder, name))
  copyFileSync(join(BENCH, 'workers', 'hono.js'), entry)
  if (!hasSameHono(folder) && (await run('npm', ['ci', '--prefix', folder, '--no-audit', '--no-fund'], { quiet: true })) !== 0) {
    throw new Problem('npm ci failed for Hono (its messages are above).\nCheck the connection to the npm registry and try again.')
  }
  const { build: bundled } = await import('esbuild')
  await bundled({ entryPoints: [entry], bundle: true, format: 'esm', minify: true, outfile: bundle, logLevel: 'warning' })
  return bundle
}

function hasSameHono(folder) {
  try {
    const read = (...path) => JSON.parse(readFileSync(join(folder, ...path), 'utf8'))
    return read('node_modules', 'hono', 'package.json').version === read('package.json').dependencies.hono
  } catch {
    return false
  }
}

/** The compatibility date and flags of the deployment. */
async function compatibility() {
  const { parse } = await import('smol-toml')
  const { compatibility_date: date, compatibility_flags: flags = [] } = parse(readFileSync(join(ROOT, 'wrangler.toml'), 'utf8'))
  return { date, flags }
}

function table(rows) {
  const digits = (value) => (value === undefined ? '' : Number.isInteger(value) ? String(value) : value.toFixed(Math.abs(value) < 10 ? 2 : 1))
  const lines = rows.map(({ what, unit = '', value, low, high, goal, hono, again, recipe }) => {
    const spread = low === undefined ? '' : `${digits(low)}–${digits(high)}`
    const verdict = goal === undefined ? '' : value <= goal ? 'yes' : value === undefined ? 'not built' : 'no'
    const beside = [hono && `Hono ${digits(hono)}`, again && `recipe again ${digits(again)}`, recipe && `JS tee ${digits(recipe)}`]
    return [what, `${digits(value)} ${unit}`.trim(), spread, goal === undefined ? '' : `≤ ${goal}`, verdict, beside.filter(Boolean).join(', ')]
  })
  const all = [['what', 'Edgekeep', '95 % of draws', 'goal', 'met', 'beside it'], ...lines]
  const widths = all[0].map((_, column) => Math.max(...all.map((line) => line[column].length)))
  return all.map((line) => line.map((cell, column) => cell.padEnd(widths[column])).join('  ').trimEnd()).join('\n')
}

async function report({ rows, hit, unit }) {
  const { chart } = await import('../tests/bench/chart.mjs')
  const machine = { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version, workerd: output(join(ROOT, 'node_modules', '.bin', 'workerd'), ['--version']) }
  const paths = ['report.json', 'chart.svg', 'chart.png'].map((name) => join(OUT, name))
  writeFileSync(paths[0], `${JSON.stringify({ machine, requests_by: unit, rows, calls_of_a_hit: hit.calls }, null, 2)}\n`)
  writeFileSync(paths[1], chart(rows, unit))
  const png = output('rsvg-convert', ['--zoom', '2', '-o', paths[2], paths[1]]) !== undefined
  say(`\nWritten: ${paths.slice(0, png ? 3 : 2).map((path) => path.slice(ROOT.length)).join(', ')}`)
}

await main(import.meta.url, (args) => {
  const flag = { type: 'boolean' }
  let options
  try {
    ;({ values: options } = parseArgs({ args, options: { exact: flag, quick: flag, aborts: flag, cpu: flag, record: flag, help: flag, build: { type: 'string' } } }))
  } catch (error) {
    throw new Problem(`${error.message}\n\n${USAGE}`)
  }
  return options.help ? say(USAGE) : bench(options)
})
