/** What was pasted with a token is named, with what to do; a token alone is never accused. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createMacaroon } from '../../../shared/macaroon/attenuate.ts'
import { cleanToken, pasteFault, pasteSentence } from '../../../shared/macaroon/paste.ts'
import type { TextFormat } from '../../../shared/macaroon/text-codec.ts'
import { encodeText, encodeTokenText } from '../../../shared/macaroon/text.ts'
import { codeOf } from '../code-of.ts'

const macaroon = createMacaroon({ secret: Buffer.from('k'), location: 'here', identifier: Buffer.from('token') })
const token = encodeTokenText(macaroon)
const folded = token.replace(/.{20}/g, '$&\n')
const minted = JSON.stringify({ token, id: 'a', org: 'acme' })

test.each([
  ['quotes', `"${token}"`, 'is in quotation marks: remove them'],
  ['typographic quotes', `“${token}”`, 'is in quotation marks: remove them'],
  ['one quote that was left', `${token}'`, 'is in quotation marks: remove them'],
  ['a scheme', `Bearer ${token}`, 'has `Bearer ` before it: give only what follows it'],
  ['a header', `Authorization: bearer ${token}`, 'has `Bearer ` before it: give only what follows it'],
  ['the JSON of mint', minted, 'is inside a JSON document: take .token of it, for example with `jq -r .token`'],
  ['JSON as jq prints it', JSON.stringify(JSON.parse(minted), null, 2), 'is inside a JSON document: take .token of it'],
  ['lines', folded, `is folded over ${folded.trim().split('\n').length} lines: join them into one`],
  ['lines of Windows', `${token.slice(0, 30)}\r\n${token.slice(30)}`, 'is folded over 2 lines: join them into one'],
  ['a space', `${token.slice(0, 30)} ${token.slice(30)}`, 'has white space in it: remove it'],
  ['white space around it', ` ${token}\n`, 'has white space around it: remove it'],
])('%s', (_, text, sentence) => {
  const fault = pasteFault(text)
  expect(fault === undefined ? '' : pasteSentence(fault)).toContain(`the token ${sentence}`)
})

test('white space around a token is removed; anything else is refused with what to do', () => {
  expect(cleanToken(`\r\n ${token}\t\n`)).toBe(token)
  expect(codeOf(() => cleanToken(`"${token}"`))).toBe('token_malformed')
  expect(cleanToken(undefined as unknown as string)).toBeUndefined()
})

test.each(['text', 'v1', 'v2', 'v2j'] satisfies TextFormat[])(
  'no token of format %s is accused of anything',
  (format) => {
    const strings = fc.string({ minLength: 1, maxLength: 40 })
    fc.assert(
      fc.property(strings, strings, (location, identifier) => {
        const made = createMacaroon({ secret: Buffer.from('k'), location, identifier: Buffer.from(identifier) })
        const text = encodeText(made, format)
        expect(pasteFault(text)).toBeUndefined()
        expect(pasteFault(`${text}~${text}`)).toBeUndefined()
      }),
    )
  },
)

test('the longest text that nobody pasted costs no time', () => {
  for (const part of ['"token" ', '{"token" ', '" ', ' ', 'a ', '\n', "'", 'bearer '])
    expect(() => pasteFault(part.repeat(32_768 / part.length))).not.toThrow()
})
