/**
 * Examines the copy of a stopped replica: compares its database with its record of positions and its newest signed position,
 * and checks how its journal ends.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { readAppliedStates } from '../../replica/store/position-record.ts'
import { readSignedPosition } from '../../replica/follower/signed-position-store.ts'
import { MetaReader } from '../../shared/database/meta.ts'
import { pageChecksumsOf } from '../../shared/database/pages-checksum.ts'
import type { Position } from '../../shared/position.ts'
import { checkPosition } from '../../shared/protocol/signed-position.ts'
import { openReader } from '../../shared/sqlite/open-database.ts'
import { DatabaseFile } from '../../shared/sqlite/database-file.ts'
import { PageSource } from '../../shared/sqlite/page-source.ts'
import { type ArchivedChecksums, type Comparison, compareReplica, type ReplicaRecord } from './comparison.ts'
import { decodeJournal } from '../../replica/revocations/journal-records.ts'
import { RESERVED_BYTES } from '../../replica/revocations/journal.ts'
import type { NodeCopy } from './scratch.ts'

/** Throws the errors that SQLite reports for a damaged file. */
export function compareCopiedReplica(
  folder: string,
  database: string,
  { publicKey, archived }: { readonly publicKey: Uint8Array | undefined; readonly archived: ArchivedChecksums },
): Comparison {
  const { cluster, ...pages } = positionOf(database)
  const position = join(folder, 'position')
  const standings = existsSync(position) ? readAppliedStates(position) : []
  const record = { standings, signed: signedIn(folder, cluster, publicKey) }
  return compareReplica(pages, record, archived)
}

/** The newest position that the authority signed, or the reason why there is none that counts. */
function signedIn(folder: string, cluster: string, publicKey: Uint8Array | undefined): ReplicaRecord['signed'] {
  if (publicKey === undefined) return 'keyless'
  const signed = readSignedPosition(join(folder, 'signed-position.json'))
  if (signed === undefined) return 'missing'
  return checkPosition(publicKey, cluster, signed) ?? 'not the authority’s'
}

/** The position of the pages, WAL included, with a checksum that is computed from them. */
function positionOf(database: string): Position & { readonly cluster: string } {
  const file = DatabaseFile.open(database)
  try {
    const reader = openReader(database)
    try {
      const { cluster, epoch, txid } = new MetaReader(reader).read()
      // Computed from every page: a stored checksum would be part of what is checked.
      return { cluster, epoch, txid, checksum: pageChecksumsOf(PageSource.pin(file)).checksum }
    } finally {
      reader.close()
    }
  } finally {
    file.close()
  }
}

/**
 * Says in words whether the journal ends as its replica left it. A journal that is cut short, by a crash or by an intruder, may
 * lack revocations, which the operator must know. Throws log_corrupt.
 */
export function journalRemarks({ role, journal }: Pick<NodeCopy, 'role' | 'journal'>): readonly string[] {
  if (role === 'primary') return []
  if (journal === undefined) return ['it has no journal, which would contain the revocations ahead of its pages']
  const rest = journal.subarray(decodeJournal(journal).end)
  if (rest.some((byte) => byte !== 0)) return ['its journal ends as after a crash, in the middle of a record']
  // A replica fills space ahead with zeros, so that a full disk cannot prevent it from writing a revocation.
  if (rest.length >= RESERVED_BYTES / 2) return []
  return ['its journal ends as after a crash: the reserved space after the last record is missing']
}
