import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { PROTOCOL_VERSION, prologueBytes, SOFTWARE_VERSION } from '../../../shared/channel/protocol-version.ts'

const read = (path: string): Promise<string> => readFile(new URL(`../../../${path}`, import.meta.url), 'utf8')

it('the software version is that of the package', async () => {
  expect(JSON.parse(await read('package.json'))).toMatchObject({ version: SOFTWARE_VERSION })
})

it('the protocol version is the latest of the dated history, in the code and on the page', async () => {
  const latest = new RegExp(`^( \\* -|\\|) ${PROTOCOL_VERSION} +(\\(|\\| )20\\d\\d-\\d\\d`, 'm')
  expect(await read('shared/channel/protocol-version.ts')).toMatch(latest)
  expect(await read('shared/channel/PROTOCOL.md')).toMatch(latest)
})

it('no cluster name imitates another version', () => {
  const text = Buffer.from(prologueBytes('2/x')).toString()
  expect(text).toBe('macaroond/1/2/x')
})
