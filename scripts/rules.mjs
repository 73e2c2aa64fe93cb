// Reads the worker's settings from the table [vars.EDGEKEEP] of a TOML file in the form of wrangler.toml.

import { readFileSync } from 'node:fs'
import { Problem } from './tools.mjs'

/** `fallback` is the value for a file without the table, which is an error without a fallback. */
export async function readRules(file, fallback) {
  const { parse } = await import('smol-toml')
  let text
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw new Problem(`${file} cannot be read: ${error.code === 'ENOENT' ? 'there is no such file' : error.message}.`)
  }
  let table
  try {
    table = parse(text)
  } catch (error) {
    if (error.line === undefined) throw error
    throw new Problem(`${file}:${error.line}:${error.column}: this is not TOML: ${error.message}`)
  }
  const rules = table.vars?.EDGEKEEP ?? fallback
  if (rules === undefined || typeof rules !== 'object' || Array.isArray(rules)) {
    throw new Problem(`${file} has no table [vars.EDGEKEEP]: the settings go there, as in wrangler.toml.`)
  }
  return rules
}
