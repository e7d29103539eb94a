/** Reads a TOML file and checks it against a schema. An error names the first fault and suggests the key that was meant. */
import { dirname, resolve } from 'node:path'
import { parse, TomlError } from 'smol-toml'
import { z } from 'zod'
import { MacaroondError } from '../errors.ts'
import { readSmallFile } from '../files/small-file.ts'
import { readTrusted } from '../files/trusted-file.ts'
import { IN_SENTENCES } from '../schema-sentences.ts'
import { causeAbout, shown } from '../shown.ts'
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
  const result = schema.safeParse(value, IN_SENTENCES)
  if (result.success) return result.data
  throw faultsOf(file, result.error, schema)[0] ?? new MacaroondError('config_invalid', `${file}: not valid`)
}

/** A configuration as far as it is valid, and everything that is wrong with the rest. */
export interface ExaminedConfig {
  /** The keys whose values are valid, with defaults. It is the whole configuration if there are no faults. */
  readonly config: Readonly<Record<string, unknown>>
  readonly faults: readonly MacaroondError[]
}

/**
 * Reads a file for a check, which reports all faults at once. It also reads a file that other users can write: the check says
 * so itself. Throws config_unreadable, and config_invalid for a text that is not TOML.
 */
export function examineConfig(file: string, schema: z.ZodType): ExaminedConfig {
  const value = readTable(file)
  const result = schema.safeParse(value, IN_SENTENCES)
  if (result.success) return { config: result.data as Record<string, unknown>, faults: [] }
  const valid = Object.entries(shapeOf(schema)).flatMap(([key, part]) => {
    const read = part instanceof z.ZodType ? part.safeParse(value[key], IN_SENTENCES) : undefined
    return read?.success === true && read.data !== undefined ? [[key, read.data] as const] : []
  })
  return { config: Object.fromEntries(valid), faults: faultsOf(file, result.error, schema) }
}

/** Parses a file without a look at who may write it. For checks only. Throws config_unreadable, config_invalid. */
export function readTable(file: string): Readonly<Record<string, unknown>> {
  return parseToml(file, readSmallFile) as Record<string, unknown>
}

/**
 * All faults. A misspelt key gives two issues, an unknown key and a missing one: the unknown key comes first because it is more
 * helpful, and the missing one is left out.
 */
function faultsOf(file: string, error: z.ZodError, schema: z.ZodType): readonly MacaroondError[] {
  const issues = error.issues.map((found) => insideUnion(found)).flatMap(eachKey)
  const unknown = issues.filter((issue) => issue.code === 'unrecognized_keys')
  const meant = new Set(
    unknown.map(({ keys, path }) => [...path, suggest(keys[0] ?? '', keysAt(schema, path))].join('.')),
  )
  const others = issues.filter((issue) => issue.code !== 'unrecognized_keys' && !meant.has(issue.path.join('.')))
  return [...unknown, ...others].map((issue) => describeIssue(file, issue, schema))
}

/** One issue for each unknown key. */
function eachKey(issue: z.core.$ZodIssue): readonly z.core.$ZodIssue[] {
  return issue.code === 'unrecognized_keys' ? issue.keys.map((key) => ({ ...issue, keys: [key] })) : [issue]
}

/** Paths that a configuration names. */
interface NamedPaths {
  readonly identity?: string
  readonly data?: string
  readonly signing_key?: string | undefined
  readonly archive?: { readonly to?: string | undefined; readonly copies: readonly string[] }
}

/** Returns the configuration with absolute paths. An archive's URL stays as it is, and so do the paths under `kek`. */
export function withAbsolutePaths<T extends NamedPaths>(file: string, config: T): T {
  const path = (text: string): string => fromConfigFolder(file, text)
  const place = (text: string): string => (text.includes('://') ? text : path(text))
  const { identity, data, signing_key: key, archive } = config
  const to = archive?.to === undefined ? undefined : place(archive.to)
  return {
    ...config,
    ...(identity === undefined ? {} : { identity: path(identity) }),
    ...(data === undefined ? {} : { data: path(data) }),
    ...(key === undefined ? {} : { signing_key: path(key) }),
    ...(archive === undefined ? {} : { archive: { ...archive, to, copies: archive.copies.map(place) } }),
  }
}

/** Resolves a path from a configuration against the folder of that file. */
export function fromConfigFolder(file: string, path: string): string {
  return resolve(dirname(resolve(file)), path)
}

function parseToml(file: string, readBytes: typeof readTrusted = readTrusted): unknown {
  const text = readText(file, readBytes)
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

function readText(file: string, readBytes: typeof readTrusted): string {
  let bytes: Buffer
  try {
    bytes = readBytes(file, CONFIG_BYTES_MAX).bytes
  } catch (error) {
    if (error instanceof MacaroondError) throw error
    throw new MacaroondError(
      'config_unreadable',
      `cannot read ${shown(file)}: ${(error as NodeJS.ErrnoException).code}`,
      {
        hint: 'check the path, and that this user may read the file',
        ...causeAbout(file, error),
      },
    )
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
    const all = keysAt(schema, issue.path.slice(0, -1)).join(', ') || 'named in docs/reference/configuration.md'
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
