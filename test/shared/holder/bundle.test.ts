import { matchesGlob } from 'node:path'
import { createContext, runInContext } from 'node:vm'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import config from '../../../oxlint.config.ts'
import { ANSWERING, bundled, ENTRY } from './bundled.ts'
import { answersOf } from './case.ts'
import { allCases, NATIVE } from './cases.ts'

/** 20 kB, minified and gzipped. */
const BYTES_MAX = 20_000

describe('macaroond/holder in a bundle for browsers', () => {
  test('has under 20 kB minified and gzipped, and nothing of Node', async () => {
    const { code, inputs } = await bundled(`export * from '${ENTRY}'`, 'esm')
    const bytes = gzipSync(code, { level: 9 }).length
    console.log(`macaroond/holder: ${code.length} bytes minified, ${bytes} gzipped`)
    expect(bytes).toBeLessThan(BYTES_MAX)
    expect(code).not.toMatch(/\bBuffer\b|\bnode:|\brequire\b/)
    expect(Object.values(inputs).flatMap((input) => input.imports.filter(({ external }) => external === true))).toEqual(
      [],
    )
  })

  test('cannot be made of a module that imports Node', async () => {
    await expect(bundled("export * from './shared/macaroon/text.ts'", 'esm')).rejects.toThrow('node:zlib')
  })

  test('is made of files that the linter keeps free of Node, and of one package', async () => {
    const { inputs } = await bundled(`export * from '${ENTRY}'`, 'esm')
    const kept = (config.overrides ?? []).find(({ rules }) => JSON.stringify(rules).includes('"Buffer"'))?.files ?? []
    const files = Object.keys(inputs).filter((file) => file !== '<stdin>')
    const own = files.filter((file) => !file.startsWith('node_modules/@noble/hashes/'))
    expect(own.length).toBeGreaterThan(20)
    expect(own.filter((file) => !kept.some((glob) => matchesGlob(file, glob)))).toEqual([])
  })

  test('answers every case where nothing but the language and its text coders is there', async () => {
    const { code } = await bundled(ANSWERING, 'iife')
    const context = createContext({ TextEncoder, TextDecoder })
    runInContext(code, context)
    const cases = allCases()
    const answers = runInContext(`JSON.stringify(answersOf(${JSON.stringify(cases)}))`, context) as string
    expect(JSON.parse(answers)).toEqual(answersOf(NATIVE, cases))
  })
})
