// Parses the stories in tests/stories: exchanges as text, one instruction a line. The same files run natively in the
// simulated world (Rust) and in workerd. A line that cannot be parsed is an error with file and line.

import { basename } from 'node:path'
import { parse as parseToml } from 'smol-toml'
import { fullName, variable } from './secrets.mjs'

/** A line that cannot be parsed. */
export class StoryError extends Error {}

const FAULTS = /^((ledger|kv|cache-api) (down|up)|kv full|kv slow=\d+(\.\d+)?)$/
const WORD = /^!?[a-z][a-z-]*(=\S+)?$/
const NAME = /^[A-Za-z][\w-]*$/
const FIELD_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

/**
 * @returns {{name: string, file: string, host: string, onlyNative: boolean, settings: object, rules: object[], keys: object[], cascades: object[], steps: object[]}}
 *   settings, rules, keys and cascades become settings; a step has `kind`, `line` (number) and `text`; steps that expect a
 *   response have `checks`, the indented lines.
 */
export function parseStory(text, file) {
  const name = basename(file).replace(/\.story$/, '')
  const story = { name, file, host: `${name}.test`, onlyNative: false, settings: {}, rules: [], keys: [], cascades: [], steps: [] }
  let first = true
  for (const [index, line] of text.split('\n').entries()) {
    const words = line.trim()
    if (words === '' || words.startsWith('#')) continue
    try {
      if (/^\s/.test(line)) addCheck(story, words, index + 1)
      else addInstruction(story, words, index + 1, first)
    } catch (error) {
      if (!(error instanceof StoryError)) throw error
      throw new StoryError(`${file}:${index + 1}: ${error.message}\n  ${line.trimEnd()}`)
    }
    first = false
  }
  return story
}

function addInstruction(story, text, line, first) {
  if (text === 'only native') {
    if (!first) throw new StoryError('`only native` must be the first instruction')
    story.onlyNative = true
    return
  }
  const [verb, rest] = cutAt(text, ' ')
  const setting = { rule: addRule, key: addKey, cascade: addCascade, setting: addSetting }[verb]
  if (setting) return setting(story, rest)
  if (FAULTS.test(text)) {
    if (!story.onlyNative) throw new StoryError('this fault needs `only native`')
    story.steps.push({ kind: 'fault', line, text })
    return
  }
  const read = { origin, backup, request, asked, start, finish, wait, evict, spoil, at, purge }[verb]
  const step = read ? read(rest) : method(verb, rest)
  story.steps.push({ ...step, line, text })
}

function addCheck(story, text, line) {
  const step = story.steps.at(-1)
  if (!step?.checks) throw new StoryError('an indented line checks a response, and there is none before it')
  const [verb, rest] = cutAt(text, ' ')
  if (verb === 'json' || verb === 'nojson') return void step.checks.push({ ...jsonCheck(verb, rest), line, text })
  if (!['has', 'lacks', 'sent', 'unsent'].includes(verb)) throw new StoryError(`unknown check \`${verb}\``)
  const [name, value] = splitField(rest)
  if (!FIELD_NAME.test(name)) throw new StoryError(`\`${name}\` is not the name of a field`)
  if (value !== undefined && (verb === 'lacks' || verb === 'unsent')) throw new StoryError(`\`${verb}\` takes a name only`)
  if (verb.endsWith('sent') && step.kind === 'purge') throw new StoryError('a purge is not forwarded to the origin')
  step.checks.push({ verb, name, value, line, text })
}

/** `[GLOB] key = TOML value`: the lines of one glob form one rule. */
function addRule(story, rest) {
  const match = /^(?:(\S+)\s+)?([a-z_]+)\s*=\s*(.+)$/.exec(rest)
  if (!match) throw new StoryError('expected `rule [GLOB] key = value`')
  const [, path = '*', key, value] = match
  let rule = story.rules.find((rule) => rule.path === path)
  if (!rule) story.rules.push((rule = { host: story.host, path }))
  if (key in rule) throw new StoryError(`\`${key}\` is given twice for \`${path}\``)
  Object.assign(rule, tomlField(key, value))
}

/** `NAME [key = TOML value]`: the lines of one name form one key. */
function addKey(story, rest) {
  const match = /^([\w-]+)(?:\s+([a-z_]+)\s*=\s*(.+))?$/.exec(rest)
  if (!match) throw new StoryError('expected `key NAME [field = value]`')
  const name = fullName(story.name, match[1])
  let key = story.keys.find((key) => key.name === name)
  if (!key) story.keys.push((key = { name, secret: variable(name) }))
  if (match[2]) Object.assign(key, tomlField(match[2], match[3].replaceAll('$host', story.host)))
}

/** `GLOB = [TAG, …]` */
function addCascade(story, rest) {
  const match = /^(\S+) = (.+)$/.exec(rest)
  if (!match) throw new StoryError('expected `cascade GLOB = [TAG, …]`')
  story.cascades.push({ tag: match[1], ...tomlField('carries', match[2]) })
}

/** `NAME = TOML value`; the name may have parts: `protection.max_requests`. */
function addSetting(story, rest) {
  const match = /^([a-z_]+(?:\.[a-z_]+)*) = (.+)$/.exec(rest)
  if (!match) throw new StoryError('expected `setting NAME = value`')
  merge(story.settings, tomlField(match[1], match[2]))
}

/** Overrides settings by others: tables are merged, all other values replaced. */
export function merge(settings, given) {
  const isTable = (value) => typeof value === 'object' && value !== null && !Array.isArray(value)
  for (const [name, value] of Object.entries(given)) {
    if (isTable(value) && isTable(settings[name])) merge(settings[name], value)
    else settings[name] = value
  }
  return settings
}

function tomlField(key, value) {
  try {
    return parseToml(`${key} = ${value}`)
  } catch (error) {
    throw new StoryError(`not a TOML value: ${value} (${error.message.split('\n')[0]})`)
  }
}

/** `json POINTER VALUE`, `nojson POINTER`; the value may hold `$host` and `$id:NAME`. */
function jsonCheck(verb, rest) {
  const [pointer, value] = cutAt(rest, ' ')
  if (!pointer.startsWith('/') || (value === '') !== (verb === 'nojson')) throw new StoryError('expected `json /POINTER VALUE` or `nojson /POINTER`')
  return { verb, pointer, value }
}

/** `PATH [next=N] [slow=SECONDS] [cut] STATUS [SEGMENT; SEGMENT…] [| BODY]`, or `PATH [next=N] down`, or `… hang`. */
function origin(rest) {
  const [target, whole] = cutAt(rest, ' ')
  checkTarget(target)
  const [, count, plan] = /^(?:next=([1-9]\d*)\s+)?(.*)$/.exec(whole)
  const next = count === undefined ? {} : { next: Number(count) }
  if (plan === 'down' || plan === 'hang') return { kind: 'origin', target, ...next, plan: { [plan]: true } }
  const match = /^(?:slow=(\d+(?:\.\d+)?)\s+)?(?:(cut)\s+)?(\d{3})(?:\s+(.*))?$/.exec(plan)
  if (!match) throw new StoryError('expected `origin PATH [next=N] [slow=SECONDS] [cut] STATUS [SEGMENT; …] [| BODY]`, `down` or `hang`')
  const [head, body] = splitBody(match[4] ?? '')
  const fields = segments(head).map((segment) => {
    const [name, value] = splitField(segment)
    return value === undefined ? ['Cache-Control', segment] : [name, value]
  })
  return { kind: 'origin', target, ...next, plan: { status: Number(match[3]), slow: Number(match[1] ?? 0), cut: Boolean(match[2]), fields, body } }
}

function backup(rest) {
  return { ...origin(rest), at: 'backup' }
}

function splitBody(text) {
  const bar = ` ${text} `.indexOf(' | ')
  return bar < 0 ? [text, ''] : [text.slice(0, Math.max(0, bar - 1)), text.slice(bar + 2)]
}

/** `get PATH …`: any lower-case word before a path is a method. */
function method(verb, rest) {
  if (!/^[a-z]+$/.test(verb) || !rest.startsWith('/')) throw new StoryError(`unknown instruction \`${verb}\``)
  return exchange(verb.toUpperCase(), rest)
}

function request(rest) {
  const [method, target] = cutAt(rest, ' ')
  return exchange(method, target)
}

function exchange(method, rest) {
  const match = /^(.*?)\s*->\s*(.+)$/.exec(rest)
  if (!match) throw new StoryError('expected `-> STATUS`')
  const bar = match[1].indexOf(' | ')
  const [line, body] = bar < 0 ? [match[1], undefined] : [match[1].slice(0, bar), match[1].slice(bar + 3)]
  return { kind: 'request', request: { ...requestLine(method, line), ...(body === undefined ? {} : { body }) }, expected: expectation(match[2]), checks: [] }
}

function requestLine(method, text) {
  const [target, fields] = cutAt(text.trim(), ' ')
  checkTarget(target)
  return { method, target, fields: segments(fields).map(requestField) }
}

function requestField(segment) {
  const [name, value] = splitField(segment)
  if (value === undefined || !FIELD_NAME.test(name)) throw new StoryError(`\`${segment}\` is not \`Name: value\``)
  return [name, value]
}

/** `STATUS [BODY] [# WORDS]`. */
function expectation(text) {
  const match = /^(\d{3})(?:\s+(.*))?$/.exec(text)
  if (!match) throw new StoryError(`expected a status after \`->\``)
  const rest = ` ${match[2] ?? ''}`
  const hash = rest.indexOf(' # ')
  const body = (hash < 0 ? rest : rest.slice(0, hash)).trim()
  const words = hash < 0 ? [] : rest.slice(hash + 3).trim().split(/\s+/)
  for (const word of words) if (!WORD.test(word)) throw new StoryError(`\`${word}\` is not a word about Cache-Status`)
  return { status: Number(match[1]), body: body === '' ? undefined : body === '-' ? '' : body, words }
}

function asked(rest) {
  const match = /^(?:(backup)\s+)?(\S+)\s+(\d+)$/.exec(rest)
  if (!match) throw new StoryError('expected `asked [backup] PATH N`')
  checkTarget(match[2])
  return { kind: 'asked', ...(match[1] && { at: match[1] }), target: match[2], times: Number(match[3]) }
}

function start(rest) {
  const match = /^(\S+)\s+(?:request\s+(\S+)|([a-z]+))\s+(\/.*)$/.exec(rest)
  if (!match || !NAME.test(match[1]) || rest.includes(' -> ')) throw new StoryError('expected `start NAME get PATH [fields]`, without `->`')
  return { kind: 'start', name: match[1], request: requestLine(match[2] ?? match[3].toUpperCase(), match[4]) }
}

function finish(rest) {
  const match = /^(\S+)\s+->\s+(.+)$/.exec(rest)
  if (!match) throw new StoryError('expected `finish NAME -> STATUS`')
  return { kind: 'finish', name: match[1], expected: expectation(match[2]), checks: [] }
}

function wait(rest) {
  if (!/^\d+(\.\d+)?$/.test(rest)) throw new StoryError('expected `wait SECONDS`')
  return { kind: 'wait', seconds: Number(rest) }
}

function evict(rest) {
  if (rest !== '') throw new StoryError('`evict` takes no argument')
  return { kind: 'evict' }
}

function spoil(rest) {
  const match = /^(kv|cache-api) (garbage|old-format|cut)$/.exec(rest)
  if (!match) throw new StoryError('expected `spoil kv|cache-api garbage|old-format|cut`')
  return { kind: 'spoil', tier: match[1], how: match[2] }
}

function at(rest) {
  if (rest !== 'a' && rest !== 'b') throw new StoryError('expected `at a` or `at b`')
  return { kind: 'at', name: rest }
}

/** `[id=ID] [by=KEY] [HOW] JSON -> STATUS [# same|new]`. */
function purge(rest) {
  const match = /^(?:id=(\S+)\s+)?(?:by=([\w-]+)\s+)?(?:(forged|late|early|unsigned|token|ed25519|hub)\s+)?(\S.*?|)\s*->\s*(\d{3})(?:\s+#\s+(same|new))?$/.exec(rest)
  if (!match) throw new StoryError('expected `purge [id=ID] [by=KEY] [forged|late|early|unsigned|token|ed25519|hub] JSON -> STATUS [# same|new]`')
  const [, id, by, how, json, status, receipt] = match
  return { kind: 'purge', id, by, how, json, expected: { status: Number(status), receipt }, checks: [] }
}

function checkTarget(target) {
  if (!target.startsWith('/')) throw new StoryError(`\`${target}\` is not a path`)
}

/** `A; B` -> [A, B]. A semicolon without a space after it belongs to its segment (`text/html;charset=utf-8`). */
function segments(text) {
  return text.split(/;\s+/).map((segment) => segment.trim()).filter((segment) => segment !== '')
}

/** `Name: value` -> [Name, value]; without `: ` there is no value. */
function splitField(text) {
  const colon = text.indexOf(': ')
  return colon < 0 ? [text.replace(/:$/, ''), undefined] : [text.slice(0, colon), text.slice(colon + 2).trim()]
}

function cutAt(text, separator) {
  const index = text.indexOf(separator)
  return index < 0 ? [text, ''] : [text.slice(0, index), text.slice(index + 1).trim()]
}
