import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { z } from 'zod'
import { pathText, readConfig } from '../../../shared/config/read-config.ts'

const folder = mkdtempSync(join(tmpdir(), 'macaroond-toml-'))
afterAll(() => rmSync(folder, { recursive: true }))

const schema = z.strictObject({ data: pathText, cluster: z.string().optional() })

function read(content: string | Uint8Array): unknown {
  const file = join(folder, 'node.toml')
  writeFileSync(file, content)
  try {
    return readConfig(file, schema)
  } catch (error) {
    return error
  }
}

test('a byte order mark and CRLF are none of the content', () => {
  expect(read('\ufeffdata = "a"\r\ncluster = "x"\r\n')).toEqual({ data: 'a', cluster: 'x' })
})

const UTF16 = Buffer.from('data = "a"\n', 'utf16le')

test.each([
  ['UTF-16 with a byte order mark', Buffer.concat([Buffer.from([0xff, 0xfe]), UTF16]), /UTF-16/, /UTF-8/],
  ['UTF-16 without one', UTF16, /UTF-16/, /UTF-8/],
  ['UTF-16, the other way round', Buffer.from(UTF16).swap16(), /UTF-16/, /UTF-8/],
  ['Latin-1', Buffer.from('data = "\u00e4"\n', 'latin1'), /not UTF-8/, /UTF-8/],
  ['typographic quotes', 'cluster = "x"\ndata = “a”\n', /:2:/, /typographic quote, “/],
  ['a no-break space', 'data\u00a0= "a"\n', /:1:/, /U\+00A0/],
  ['a zero-width space', 'data\u200b = "a"\n', /:1:/, /U\+200B/],
  ['a path of Windows', 'data = "C:\\Users\\me"\n', /:1:/, /backslash/],
  ['a path of Windows that is TOML, and another path', 'data = "C:\\new\\table"\n', /control characters/, /./],
  ['something else', 'data = a\n', /:1:/, /strings are quoted/],
])('%s is named as such', (_, content, message, hint) => {
  const refusal = { code: 'config_invalid', message: expect.stringMatching(message), hint: expect.stringMatching(hint) }
  expect(read(content)).toMatchObject(refusal)
})
