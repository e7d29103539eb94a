/** A signed document has one encoding, and a signed text that is no document of this version has its own error. */
import { describe, expect, test } from 'vitest'
import { type ArchivedFile, segmentKey } from '../../../shared/archive/layout.ts'
import { decodeEntry, encodeEntry, MANIFEST_GENESIS, type ManifestEntry } from '../../../shared/archive/manifest.ts'
import { ed25519Private, ed25519PublicKey, ed25519Sign } from '../../../shared/crypto.ts'
import { checksum, epoch, timeline, txid } from '../../../shared/ids.ts'

const SEED = Buffer.alloc(32, 1)
const KEY = ed25519Private(SEED)
const RANGE = { minTxid: txid(2), maxTxid: txid(3) }
const FILE: ArchivedFile = {
  ...RANGE,
  key: segmentKey(0, RANGE),
  level: 0,
  bytes: 7,
  timestampMs: 5,
  sha256: 'b'.repeat(64),
  epoch: epoch(1),
  postApply: checksum(1n << 63n),
}
const ENTRY: ManifestEntry = {
  cluster: 'test',
  epoch: epoch(1),
  timeline: timeline('a'.repeat(32)),
  seq: 1,
  previous: MANIFEST_GENESIS,
  atMs: 5,
  base: false,
  head: '1.0000000000000003.8000000000000000',
  added: [FILE],
  removed: [],
}
const BYTES = encodeEntry(ENTRY, KEY)
const LINE = BYTES.toString('utf8', 0, BYTES.indexOf('\n'))

const read = (bytes: Buffer): ManifestEntry => decodeEntry(bytes, ed25519PublicKey(SEED), 'the entry')
const damaged: unknown = expect.objectContaining({ code: 'archive_damaged' })

function signed(line: string): Buffer {
  const signature = Buffer.from(ed25519Sign(KEY, Buffer.from(`macaroond archive manifest 1\n${line}`)))
  return Buffer.from(`${line}\n${signature.toString('base64url')}\n`)
}

test('an entry reads back as it was written', () => {
  expect(read(BYTES)).toEqual(ENTRY)
  expect(signed(LINE).equals(BYTES)).toBe(true)
})

describe('a signature', () => {
  const text = BYTES.toString('latin1')
  const last = text.at(-2) ?? ''
  const unused = String.fromCharCode(last.charCodeAt(0) + 1)
  const respelt: readonly (readonly [string, string])[] = [
    ['without its newline', text.slice(0, -1)],
    ['with a second one', `${text}\n`],
    ['behind a space', `${LINE}\n ${text.slice(LINE.length + 1)}`],
    ['with padding', `${text.slice(0, -1)}==\n`],
    ['with other unused bits', `${text.slice(0, -2)}${unused}\n`],
    ['with what is no base64url in it', `${text.slice(0, -9)}!${text.slice(-9)}`],
  ]
  test.each(respelt)('%s is none: the entry after it names a hash of the one spelling', (_, other) => {
    expect(() => read(Buffer.from(other, 'latin1'))).toThrow(damaged)
  })
})

const others: readonly (readonly [string, string])[] = [
  ['no JSON', '{"cluster":'],
  ['nothing', ''],
  ['a head that is no position', LINE.replace('1.0000000000000003', '01.0000000000000003')],
  ['a timeline that is none', LINE.replace('a'.repeat(32), 'A'.repeat(32))],
  ['an epoch beyond four bytes', LINE.replace('"epoch":1', '"epoch":4294967296')],
  ['a file of no transaction', LINE.replace('[0,2,3,', '[0,0,3,')],
  ['a file that ends before it begins', LINE.replace('[0,2,3,', '[0,4,3,')],
  ['a file of an epoch beyond four bytes', LINE.replace(',5,1,"', ',5,4294967296,"')],
  ['a checksum that is none', LINE.replace('"8000000000000000"', '"800000000000000x"')],
]

test.each(others)('what the authority signed, but holds %s, is refused as damaged', (_, line) => {
  expect(line).not.toBe(LINE)
  expect(() => read(signed(line))).toThrow(damaged)
})
