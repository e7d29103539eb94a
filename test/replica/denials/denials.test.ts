/** The file of denials: whole or not at all, read back as it was written, and damaged wherever a byte is another one. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import { Denials } from '../../../replica/denials/denials.ts'
import { DenialReleaser } from '../../../replica/denials/releaser.ts'
import { denialsInPages } from '../../../replica/denials/undone.ts'
import { Numbers } from '../../../shared/numbers.ts'
import { systemClock, systemEntropy } from '../../../shared/clock.ts'
import { MetaReader } from '../../../shared/database/meta.ts'
import { epoch, timeline } from '../../../shared/ids.ts'
import { REASON_CHARS_MAX, SUBJECT_BYTES_MAX } from '../../../shared/limits.ts'
import { columnsOfRow, type Denial } from '../../../shared/protocol/denials.ts'
import type { KnownRevocation } from '../../../shared/verifier/revocation-row.ts'
import { History } from './disk.ts'

const ONE = timeline('a'.repeat(32))
const TWO = timeline('b'.repeat(32))

function token(seq: number): KnownRevocation {
  return { seq, kind: 'token', kid: '1'.repeat(16), nonce: seq.toString(16).padStart(32, '0'), expiresAt: 0 }
}

function denial(seq: number, of: typeof ONE = ONE, row: KnownRevocation = token(seq)): Denial {
  return { timeline: of, epoch: epoch(of === ONE ? 1 : 2), seq, columns: columnsOfRow(row, 'acme') }
}

function newPath(): string {
  const folder = mkdtempSync(join(tmpdir(), 'macaroond-denials-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, 'denials')
}

function open(path: string): Denials {
  return new Denials({ path, entropy: systemEntropy, timers: systemClock })
}

async function* lazily(all: Iterable<readonly Denial[]>): AsyncGenerator<readonly Denial[]> {
  yield* all
}

async function* batches(...all: readonly (readonly Denial[])[]): AsyncGenerator<readonly Denial[]> {
  yield* all
}

const namesIn = (denials: Denials): string[] => [...denials.numbered()].map((one) => `${one.epoch}.${one.seq}`)

test('a row is there after a restart, once, with every column that it had', async () => {
  const path = newPath()
  const denials = open(path)
  expect(await denials.keep(batches([denial(1), denial(2)], [denial(1, TWO)]))).toBe(3)
  expect(await denials.keep(batches([denial(2), denial(3)], [denial(3)]))).toBe(1)
  const again = open(path)
  expect(namesIn(again)).toEqual(['1.1', '1.2', '2.1', '1.3'])
  expect([...again.numbered()][0]).toEqual(denial(1))
  expect([...again.all()].map(({ seq }) => seq)).toEqual([1, 2, 1, 3])
  expect([token(1), token(3), token(4)].map((row) => again.covers(row))).toEqual([true, true, false])
})

test('rows leave by themselves, and the file with the last of them', async () => {
  const path = newPath()
  const denials = open(path)
  await denials.keep(batches([denial(1), denial(2), denial(3)]))
  expect(await denials.release(({ seq }) => seq === 2)).toBe(1)
  expect(namesIn(open(path))).toEqual(['1.1', '1.3'])
  expect(denials.covers(token(2))).toBe(false)
  expect(await denials.release(() => false)).toBe(0)
  expect(await denials.release(() => true)).toBe(2)
  expect(existsSync(path)).toBe(false)
  expect(denials.size).toBe(0)
})

test('a failed write leaves the file as it was, and no other beside it', async () => {
  const path = newPath()
  const denials = open(path)
  await denials.keep(batches([denial(1)]))
  const tooLong = { ...denial(3), columns: { ...denial(3).columns, reason: 'x'.repeat(20_000) } }
  await expect(denials.keep(batches([denial(2)], [tooLong]))).rejects.toMatchObject({ code: 'request_invalid' })
  expect(namesIn(open(path))).toEqual(['1.1'])
  expect([denials.size, denials.covers(token(1)), denials.covers(token(2))]).toEqual([1, true, false])
  expect(existsSync(`${path}.tmp`)).toBe(false)
})

test('the longest row that a primary writes can be read back', async () => {
  const path = newPath()
  const subject = '\u0001'.repeat(SUBJECT_BYTES_MAX)
  const row: KnownRevocation = { seq: 7, kind: 'subject', org: 'o'.repeat(64), subject, untilMs: 5, expiresAt: 0 }
  const columns = {
    ...columnsOfRow(row, row.org),
    reason: '\u0001'.repeat(REASON_CHARS_MAX),
    actor: '\u0001'.repeat(64),
  }
  await open(path).keep(batches([{ ...denial(7), columns }]))
  expect([...open(path).numbered()]).toEqual([{ ...denial(7), columns }])
  expect([...open(path).all()]).toEqual([row])
})

test('any changed byte and any missing end is damage; nothing is taken for an end', async () => {
  const path = newPath()
  await open(path).keep(batches(Array.from({ length: 20 }, (_, index) => denial(index + 1))))
  const bytes = readFileSync(path)
  const isDamaged = (content: Buffer): void => {
    writeFileSync(path, content)
    expect(() => open(path)).toThrow(expect.objectContaining({ code: 'log_corrupt' }))
    expect(readFileSync(path).equals(content)).toBe(true)
  }
  fc.assert(
    fc.property(fc.integer({ min: 0, max: bytes.length * 8 - 1 }), (bit) => {
      const damaged = Buffer.from(bytes)
      damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      isDamaged(damaged)
    }),
  )
  for (let size = 0; size < bytes.length; size += 97) isDamaged(bytes.subarray(0, size))
  isDamaged(Buffer.concat([bytes, bytes.subarray(12)]))
})

test('an addition to a damaged file is refused, unless it has all that the file had', async () => {
  const path = newPath()
  const denials = open(path)
  await denials.keep(batches([denial(1), denial(2)]))
  const bytes = readFileSync(path)
  bytes[bytes.length - 40] = (bytes[bytes.length - 40] ?? 0) ^ 1
  writeFileSync(path, bytes)
  await expect(denials.keep(batches([denial(3)]))).rejects.toMatchObject({ code: 'log_corrupt' })
  expect(readFileSync(path).equals(bytes)).toBe(true)
  await denials.keep(batches([denial(2), denial(3)]), { isAll: true })
  expect([...denials.numbered()].map(({ seq }) => seq)).toEqual([1, 2, 3])
})

test('pages of the file together are all of it, wherever they begin', async () => {
  const path = newPath()
  const denials = open(path)
  await denials.keep(batches(Array.from({ length: 1_000 }, (_, index) => denial(index + 1))))
  const seqs: number[] = []
  for (let at: number | undefined, more = true; more;) {
    const page = denials.page(at, { rows: 90, bytes: 20_000 })
    seqs.push(...page.denials.map(({ seq }) => seq))
    expect(page.denials.length).toBeLessThanOrEqual(90)
    at = page.next
    more = at !== undefined
  }
  expect(seqs).toEqual(Array.from({ length: 1_000 }, (_, index) => index + 1))
})

test('a set of numbers has those that were added, in whatever order', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 40 })), (added) => {
      const numbers = new Numbers()
      for (const number of added) numbers.add(number)
      for (let number = 0; number <= 41; number += 1) expect(numbers.has(number)).toBe(added.includes(number))
    }),
  )
})

test('a turn looks at a few hundred rows, whatever there are', async () => {
  let [rows, most] = [0, 0]
  const soon: typeof systemClock.soon = (then) => {
    most = Math.max(most, rows)
    rows = 0
    return systemClock.soon(then)
  }
  const denials = new Denials({ path: newPath(), entropy: systemEntropy, timers: { soon } })
  const history = new History(1).revokeFrom(1, 3_000)
  function* counted(): Generator<readonly Denial[]> {
    for (const batch of denialsInPages(history.writer, new MetaReader(history.writer).read())) {
      rows += batch.length
      yield batch
    }
  }
  const count = (): boolean => (rows += 1) < 0
  expect(await denials.keep(lazily(counted()))).toBe(3_000)
  rows = 0
  expect(await denials.release(count)).toBe(0)
  expect(await denials.count(count)).toBe(0)
  const settlement = new DenialReleaser(denials, systemEntropy, { soon })
  const meta = new MetaReader(history.writer)
  const settling = {
    isEnforced: () => true,
    onForgotten: () => Promise.resolve(true),
    signal: new AbortController().signal,
  }
  expect(await settlement.release(history.writer, { meta: meta.read(), forgotten: [] }, settling)).toMatchObject({
    released: 3_000,
  })
  expect(most).toBeGreaterThan(0)
  expect(most).toBeLessThanOrEqual(500)
})
