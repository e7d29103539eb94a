/** Compares the copied database of a stopped replica with its record of positions and its newest signed position. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { readAppliedStates } from '../../replica/store/position-record.ts'
import { readSignedPosition } from '../../replica/follower/signed-position-store.ts'
import { MetaReader } from '../../shared/database/meta.ts'
import { PAGE_BYTES } from '../../shared/limits.ts'
import { PageChecksums } from '../../shared/ltx/rolling-checksum.ts'
import type { Position } from '../../shared/position.ts'
import { checkPosition } from '../../shared/protocol/signed-position.ts'
import { openReader } from '../../shared/sqlite/open-database.ts'
import { DatabaseFile } from '../../shared/sqlite/database-file.ts'
import { PageSource } from '../../shared/sqlite/page-source.ts'
import { type ArchivedChecksums, type Comparison, compareReplica, type ReplicaRecord } from './comparison.ts'

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
      return { cluster, epoch, txid, checksum: checksumOf(PageSource.pin(file)) }
    } finally {
      reader.close()
    }
  } finally {
    file.close()
  }
}

/** Computed from every page: a stored checksum would be part of what is checked. */
function checksumOf(view: PageSource): Position['checksum'] {
  const checksums = new PageChecksums(PAGE_BYTES)
  const page = Buffer.alloc(PAGE_BYTES)
  try {
    for (let pgno = 1; pgno <= view.pageCount; pgno += 1) {
      view.readPage(pgno, page)
      checksums.set(pgno, page)
    }
  } finally {
    view.release()
  }
  return checksums.checksum
}
