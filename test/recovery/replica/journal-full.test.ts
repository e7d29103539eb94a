/** The revocation journal of a replica on a full disk. */
import { existsSync, mkdtempSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { RevocationJournal } from '../../../replica/revocations/journal.ts'
import { epoch, timeline } from '../../../shared/ids.ts'
import type { RevocationRow } from '../../../shared/verifier/revocation-row.ts'
import { canMount, named, smallVolume } from '../../integration/cluster/small-volume.ts'

const MIB = 1024 * 1024
const PLACE = { timeline: timeline('1'.repeat(32)), epoch: epoch(1) }

function row(seq: number): RevocationRow {
  return { seq, kind: 'token', kid: '1'.repeat(16), nonce: String(seq).padStart(32, '0'), expiresAt: 0 }
}

const descriptors = (): number => readdirSync('/proc/self/fd').length

test.runIf(canMount)(
  `rows that pages hold stay for now, and no file or descriptor is left behind${named}`,
  async () => {
    const root = mkdtempSync(join(tmpdir(), 'macaroond-journal-full-'))
    onTestFinished(() => rmSync(root, { recursive: true, force: true }))
    const folder = smallVolume(join(root, 'volume'), 8 * MIB)
    const path = join(folder, 'journal')
    const journal = new RevocationJournal(path)
    onTestFinished(() => journal.close())
    let last = 0
    while (journal.bytes < 4.3 * MIB) {
      journal.append(
        PLACE,
        Array.from({ length: 200 }, () => row((last += 1))),
      )
    }
    await journal.sync()
    const { bavail, bsize } = statfsSync(folder)
    const filler = join(folder, 'filler')
    writeFileSync(filler, Buffer.alloc(bavail * bsize - MIB / 2))
    const [before, bytes] = [descriptors(), journal.bytes]
    for (let attempt = 0; attempt < 3; attempt += 1) journal.dropInPages(PLACE.timeline, Math.floor(last * 0.6))
    expect(() => journal.dropBefore(epoch(1))).toThrow(expect.objectContaining({ code: 'disk_full' }))
    expect([descriptors(), journal.bytes, existsSync(`${path}.tmp`)]).toEqual([before, bytes, false])
    rmSync(filler)
    journal.dropInPages(PLACE.timeline, Math.floor(last * 0.6))
    expect(journal.bytes).toBeLessThan(bytes / 2)
    expect(journal.rows().at(-1)?.seq).toBe(last)
  },
)
