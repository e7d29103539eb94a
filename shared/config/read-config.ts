/** Reads a TOML file and checks it against a schema. An error names the first fault and suggests the key that was meant. */
import { dirname, resolve } from 'node:path'
import { parse, TomlError } from 'smol-toml'
import { z } from 'zod'
import { MacaroondError } from '../errors.ts'
import { readTrusted } from '../files/trusted-file.ts'
import { suggest } from '../suggest.ts'
import { lineHint, tomlText } from './toml-text.ts'

/** A larger file is not a configuration; reading stops at this size. */
const CONFIG_BYTES_MAX = 1024 * 1024

/** Schema of a path. A relative path starts at the folder of the file that names it, so a cluster's folder can be moved. */
export const pathText: z.ZodString = z
  .string()
  .min(1)
  .max(4096)
  .regex(/^\P{Cc}*$/u, 'a path has no control characters: in "…" a backslash begins an escape, so write \'…\'')

/** Throws config_unreadable, config_invalid, file_untrusted. */
export function readConfig<T>(file: string, schema: z.ZodType<T>): T {
  return checkConfig(file, parseToml(file), schema)
}

/** Checks a parsed configuration. `file` appears only in errors. Throws config_invalid. */
export function checkConfig<T>(file: string, value: unknown, schema: z.ZodType<T>): T {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  // A misspelt key gives two issues, an unknown key and a missing one. The unknown key is more helpful to the operator.
  const issues = result.error.issues.map((found) => insideUnion(found))
  const issue = issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0]
  if (issue === undefined) throw new MacaroondError('config_invalid', `${file}: not valid`)
  throw describeIssue(file, issue, schema)
}

/** Resolves a path from a configuration against the folder of that file. */
export function fromConfigFolder(file: string, path: string): string {
  return resolve(dirname(resolve(file)), path)
}

function parseToml(file: string): unknown {
  const text = readText(file)
  try {
    return parse(text)
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    // The rest of the library's message is an excerpt of the file, which may contain secrets.
    const reason = error.message.split('\n')[0] ?? 'not TOML'
    throw new MacaroondError('config_invalid', `${file}:${error.line}:${error.column}: ${reason}`, {
      hint: lineHint(text.split('\n')[error.line - 1] ?? ''),
    })
  }
}

function readText(file: string): string {
  let bytes: Buffer
  try {
    bytes = readTrusted(file, CONFIG_BYTES_MAX).bytes
  } catch (error) {
    if (error instanceof MacaroondError) throw error
    throw new MacaroondError('config_unreadable', `cannot read ${file}: ${(error as NodeJS.ErrnoException).code}`, {
      hint: 'check the path, and that this user may read the file',
      cause: error,
    })
  }
  if (bytes.length > CONFIG_BYTES_MAX) {
    throw new MacaroondError(
      'config_invalid',
      `${file} is larger than a configuration may be: ${CONFIG_BYTES_MAX} bytes`,
    )
  }
  const read = tomlText(bytes)
  if ('text' in read) return read.text
  throw new MacaroondError('config_invalid', `${file}: ${read.fault}`, { hint: read.hint })
}

/**
 * Finds the helpful issue inside a union: a key that no form of the table knows, or the first issue of the form with the fewest
 * issues. If two forms have equally few, it returns the issue unchanged.
 */
function insideUnion(issue: z.core.$ZodIssue): z.core.$ZodIssue {
  if (issue.code !== 'invalid_union') return issue
  const unknown = issue.errors.map((branch) => unknownKeys(branch))
  const keys = (unknown[0] ?? []).filter((key) => unknown.every((others) => others.includes(key)))
  if (keys.length > 0) return { code: 'unrecognized_keys', keys, path: issue.path, message: 'unknown key' }
  const [nearest, next] = issue.errors.toSorted((a, b) => a.length - b.length)
  const first = nearest?.[0]
  if (first === undefined || nearest?.length === next?.length) return issue
  return { ...first, path: [...issue.path, ...first.path] }
}

function unknownKeys(issues: readonly z.core.$ZodIssue[]): readonly string[] {
  return issues.flatMap((issue) => (issue.code === 'unrecognized_keys' ? issue.keys : []))
}

function describeIssue(file: string, issue: z.core.$ZodIssue, schema: z.ZodType): MacaroondError {
  const at = issue.path.map(String).join('.')
  if (issue.code !== 'unrecognized_keys') {
    const oneOf = issue.code === 'invalid_union' ? keysAt(schema, issue.path).join(', ') : ''
    const all = keysAt(schema, issue.path.slice(0, -1)).join(', ') || 'named in the README'
    return new MacaroondError('config_invalid', `${file}: ${at === '' ? '' : `${at}: `}${issue.message}`, {
      hint: oneOf === '' ? `the keys here are ${all}` : `give exactly one of ${oneOf}`,
    })
  }
  const key = issue.keys[0] ?? ''
  const known = keysAt(schema, issue.path)
  const near = suggest(key, known)
  return new MacaroondError('config_invalid', `${file}: unknown key "${at === '' ? key : `${at}.${key}`}"`, {
    hint: near === undefined ? `the keys here are ${known.join(', ')}` : `did you mean "${near}"?`,
  })
}

/** The keys that a schema knows at a path, looking through optional, default, union and array wrappers. */
function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  const [head, ...rest] = path.filter((part) => typeof part === 'string')
  const options = alternatives(schema)
  if (head === undefined) return options.flatMap((option) => Object.keys(shapeOf(option)))
  return options.flatMap((option) => {
    const next = shapeOf(option)[head]
    return next instanceof z.ZodType ? keysAt(next, rest) : []
  })
}

function alternatives(schema: z.ZodType): z.ZodType[] {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) {
    return alternatives(schema.unwrap() as z.ZodType)
  }
  if (schema instanceof z.ZodArray) return alternatives(schema.element as z.ZodType)
  if (schema instanceof z.ZodUnion) return schema.options.flatMap((option) => alternatives(option as z.ZodType))
  return [schema]
}

function shapeOf(schema: z.ZodType): Record<string, unknown> {
  return schema instanceof z.ZodObject ? schema.shape : {}
}
