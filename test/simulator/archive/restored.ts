/** The primary's machine gets a database that the product's own restore made, of a past transaction drawn at random. */
import { existsSync, mkdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { restore } from '../../../ops/restore/restore.ts'
import type { ArchiveSource } from '../../../ops/restore/source.ts'
import { MetaReader } from '../../../shared/database/meta.ts'
import type { Host } from '../../../shared/host.ts'
import { openReader } from '../../../shared/sqlite/connection.ts'
import type { Random } from '../../chaos/random.ts'
import { archiveIn } from '../nodes/cast.ts'
import type { Witness } from './witness.ts'

export interface RestoringOptions {
  readonly witness: Witness
  /** What the stopped primary left: its data, and the archive beside it. */
  readonly image: string
  readonly random: Random
  readonly host: Pick<Host, 'clock' | 'entropy'>
}

export interface Restoration {
  /** What the disk holds now. */
  readonly image: string
  /** For people. */
  readonly text: string
}

const DATABASE = 'macaroond.db'

/**
 * With the old disk at hand, or, where the archive has all that was ever on it, sometimes without: then the archive alone must
 * tell what was revoked. Undefined where there is nothing to restore from yet.
 */
export async function restoreSomePast(options: RestoringOptions): Promise<Restoration | undefined> {
  const { witness, image, random, host } = options
  const archive = await witness.open(image)
  const target = random.pick([...new Set(archive?.files.map(({ maxTxid }) => maxTxid))])
  if (archive?.head === undefined || target === undefined) return undefined
  const isLost = isComplete(archive, image) && random.fraction() < 0.6
  const output = `${image}.restored`
  mkdirSync(output, { recursive: true })
  const restored = await restore({
    from: { archive, target: { kind: 'txid', txid: target } },
    output: join(output, DATABASE),
    profile: undefined,
    oldData: isLost ? undefined : image,
    newest: undefined,
    withoutRevocations: false,
    ...host,
    onProgress: () => undefined,
    confirm: ({ unread }) => {
      if (unread.length > 0) throw new Error(`a restore that can read all there is says: ${unread.join('; ')}`)
      return true
    },
  })
  witness.abandonAfter(archive.head.txid)
  renameSync(archiveIn(image), archiveIn(output))
  const { epoch, txid } = restored?.begun ?? {}
  return {
    image: output,
    text: `to ${target} of ${archive.head.txid}, ${isLost ? 'without' : 'with'} the old disk: ${epoch}.${txid}`,
  }
}

/** Whether the archive has every transaction that the disk has. */
function isComplete({ head }: ArchiveSource, image: string): boolean {
  if (!existsSync(join(image, DATABASE))) return true
  const db = openReader(join(image, DATABASE))
  try {
    const { epoch, txid } = new MetaReader(db).read()
    return head?.epoch === epoch && head.txid === txid
  } finally {
    db.close()
  }
}
