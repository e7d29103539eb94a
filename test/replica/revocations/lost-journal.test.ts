/** S8: a replica that lost its journal proves nothing to a restore, until it has everything again. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { LostJournal } from '../../../replica/revocations/lost-journal.ts'

function folder(): { readonly open: (recordedEpoch?: number) => LostJournal; readonly journal: string } {
  const data = mkdtempSync(join(tmpdir(), 'macaroond-lost-'))
  onTestFinished(() => rmSync(data, { recursive: true, force: true }))
  const [path, journal] = [join(data, 'journal-lost.json'), join(data, 'revocations.journal')]
  return { open: (recordedEpoch) => new LostJournal({ path, journal, recordedEpoch }), journal }
}

test('a new replica, and one with its journal, has lost nothing', () => {
  const { open, journal } = folder()
  expect(open().textAt(0)).toBeUndefined()
  writeFileSync(journal, '')
  expect(open(3).textAt(3)).toBeUndefined()
})

test('a loss is remembered over restarts, for its epoch and earlier ones', () => {
  const { open, journal } = folder()
  open(3)
  writeFileSync(journal, '')
  for (let restart = 0; restart < 2; restart += 1) {
    const lost = open(3)
    expect([lost.textAt(undefined), lost.textAt(2), lost.textAt(3)]).toEqual(
      Array.from({ length: 3 }, () => expect.stringContaining('epoch 3 was lost')),
    )
    expect(lost.textAt(4)).toBeUndefined()
  }
})

test('a loss is over once the pages have everything', () => {
  const { open, journal } = folder()
  const lost = open(3)
  writeFileSync(journal, '')
  lost.caughtUp()
  expect([lost.textAt(3), open(3).textAt(3)]).toEqual([undefined, undefined])
})
