/** A ratchet on what the linter does not see: size, leftovers, and references that mean nothing to a reader of this repository. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { LAYERS, ROOT, typescriptFiles } from './project.ts'

const LINES_MAX = 400
const TEST_NAME_LENGTH_MAX = 90
const COMMENT_COLUMNS_MAX = 128
/** Comments that begin with a relative clause name no subject. Some sentences need one. */
const OPENINGS_MAX = 40
const COMMENT = /^\s*(?:\/\*\*|\*|\/\/)/
const RELATIVE_OPENING = /^\s*(?:\/\*\*|\*|\/\/) (?:What|Of|Where|Whether|Who|Those)\b/

const TEXT = /'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`/
/** Names follow `test(`, `test.only(`, and the second parenthesis of `test.each(…)(`. */
const TEST_NAME = new RegExp(`(?:(?<![\\w.])(?:describe|test|it)(?:\\.\\w+)*|\\))\\(\\s*(${TEXT.source})\\s*,`, 'g')
const EXPORTED = /^export (?:(?:declare|abstract|async) )*(?:const|let|function\*?|class|interface|type) (\w+)/gm

/** Written as patterns that do not match their own text, so that this file can be checked as well. */
const LEFTOVERS: readonly RegExp[] = [
  /\b(TO[D]O|FIX[M]E|X[X]X|HA[C]K)\b/,
  /\bas[ ]any\b(?! [a-z])/,
  /@ts-(ignore|nocheck|expect-error(?! [A-Z]))/,
  /(oxlint|eslint)-disable(?!.* -- \w)/,
  /\bdebugger[;]/,
]

const FOREIGN: readonly RegExp[] = [
  /\/work\//,
  /\/(home|Users)\/\w/,
  /\b(design|style|contract)\.md\b/,
  /\bfacts\/\w/,
  /\bissue #?\d/i,
  /registry\.npm\w+\.\w/,
]

const sources = typescriptFiles(LAYERS)
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8')

/** `file:line: text` of every line that one of the patterns matches. */
function hits(files: readonly string[], patterns: readonly RegExp[]): readonly string[] {
  return files.flatMap((file) =>
    read(file)
      .split('\n')
      .flatMap((text, index) => (patterns.some((p) => p.test(text)) ? [`${file}:${index + 1}: ${text.trim()}`] : [])),
  )
}

describe('the source', () => {
  it('is found at all', () => {
    for (const layer of LAYERS) expect(typescriptFiles([layer]), layer).not.toEqual([])
  })

  it(`has no file above ${LINES_MAX} lines`, () => {
    const long = sources.filter((file) => read(file).split('\n').length > LINES_MAX + 1)
    expect(long).toEqual([])
  })

  it('has no reminders, casts to any, silenced type errors, or rules disabled without a reason', () => {
    expect(hits([...sources, ...typescriptFiles(['test'])], LEFTOVERS)).toEqual([])
  })

  it('is scanned for leftovers with patterns that work', () => {
    const samples = [
      '// TO' + 'DO later',
      'x as ' + 'any',
      '// @ts-' + 'ignore',
      '// oxlint-' + 'disable-next-line no-eval',
    ]
    for (const sample of samples) expect(LEFTOVERS.some((pattern) => pattern.test(sample))).toBe(true)
    expect(LEFTOVERS.some((pattern) => pattern.test('// oxlint-disable-next-line no-eval -- a reason'))).toBe(false)
  })

  it('names only relative imports with their extension', () => {
    const bare = /from '\.{1,2}\/[^']*(?<!\.(ts|json))'/
    expect(hits([...sources, ...typescriptFiles(['test'])], [bare])).toEqual([])
  })
})

describe('every product file', () => {
  it('opens with a comment', () => {
    const bare = sources.filter((file) => !/^(#!.*\n)?\/[*/]/.test(read(file)))
    expect(bare).toEqual([])
  })

  it('has comments that fit the columns of a wide terminal', () => {
    const wide = sources.flatMap((file) =>
      read(file)
        .split('\n')
        .filter((line) => COMMENT.test(line) && line.length > COMMENT_COLUMNS_MAX)
        .map((line) => `${file}: ${line.trim()}`),
    )
    expect(wide).toEqual([])
  })

  it('has comments that begin with their subject', () => {
    expect(hits(sources, [RELATIVE_OPENING]).length).toBeLessThanOrEqual(OPENINGS_MAX)
    expect(RELATIVE_OPENING.test('  /** Whether it is there. */')).toBe(true)
  })

  it('exports names that no other one exports', () => {
    const owners = new Map<string, Set<string>>()
    for (const file of sources) {
      for (const [, name = ''] of read(file).matchAll(EXPORTED))
        owners.set(name, (owners.get(name) ?? new Set()).add(file))
    }
    expect(owners.size).toBeGreaterThan(sources.length)
    const shared = [...owners].flatMap(([name, files]) => (files.size > 1 ? [name] : []))
    expect(shared).toEqual([])
  })
})

describe('every test name', () => {
  /** Values put in by `${…}` do not count. */
  const length = (literal: string): number => literal.replaceAll(/\$\{[^}]*\}/g, '').length - 2
  const namesOf = (text: string): readonly string[] => [...text.matchAll(TEST_NAME)].map(([, literal = '']) => literal)

  it(`has at most ${TEST_NAME_LENGTH_MAX} characters`, () => {
    const names = typescriptFiles(['test']).flatMap((file) => namesOf(read(file)).map((name) => ({ file, name })))
    expect(names.length).toBeGreaterThan(typescriptFiles(['test']).length)
    expect(names.filter(({ name }) => length(name) > TEST_NAME_LENGTH_MAX)).toEqual([])
  })

  it('is found in each form of a test', () => {
    const forms = ["test('a', ", "it.only('a', ", "test.skipIf(f(1))(\n  'a',", "describe.each([['b', 1]])('a', "]
    expect(forms.flatMap(namesOf)).toEqual(forms.map(() => "'a'"))
  })
})

describe('every file of the repository', () => {
  it('refers only to what a reader of the repository has', () => {
    const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { cwd: ROOT })
    const text = tracked
      .toString()
      .split('\n')
      .filter((file) => /\.(ts|md|json|toml|sh|ya?ml)$|^\.ci\/run$/.test(file) && file !== 'package-lock.json')
      .filter((file) => !file.startsWith('test/vectors/'))
    expect(text.length).toBeGreaterThan(10)
    expect(hits(text, FOREIGN)).toEqual([])
  })
})
