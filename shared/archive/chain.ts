/** Pure core that finds the fewest files from which the state of one transaction can be rebuilt, without a gap between them. */
import type { Txid } from '../ids.ts'
import type { ArchivedFile } from './layout.ts'

export interface Chain {
  /** A whole database first, then changes. The files may overlap. */
  readonly files: readonly ArchivedFile[]
  /** The last transaction that it rebuilds. */
  readonly reaches: Txid
}

/** True if the file has every page, because it begins with transaction 1. A restore begins with such a file. */
function isWhole({ minTxid }: ArchivedFile): boolean {
  return minTxid === 1
}

/**
 * Returns the chain that ends at `target`, or else the one that ends nearest below it. Undefined if every whole database is
 * newer than `target`. It starts with the newest whole database. Then it always takes the file that reaches furthest, which
 * gives the fewest files.
 */
export function chainTo(files: readonly ArchivedFile[], target: Txid): Chain | undefined {
  const usable = files.filter(({ maxTxid }) => maxTxid <= target)
  const byStart = usable.toSorted((a, b) => a.minTxid - b.minTxid)
  const bases = usable.filter(isWhole).toSorted((a, b) => b.maxTxid - a.maxTxid || b.level - a.level)
  let nearest: Chain | undefined
  for (const base of bases) {
    const chain = extend(base, byStart)
    if (chain.reaches === target) return chain
    if (nearest === undefined || chain.reaches > nearest.reaches) nearest = chain
  }
  return nearest
}

/** The longest chain that continues one whole database by changes, without a later whole database. */
export function chainFrom(files: readonly ArchivedFile[], base: ArchivedFile): Chain {
  const changes = files.filter((file) => !isWhole(file)).toSorted((a, b) => a.minTxid - b.minTxid)
  return extend(base, changes)
}

function extend(base: ArchivedFile, byStart: readonly ArchivedFile[]): Chain {
  const files = [base]
  let reaches = base.maxTxid
  let next = 0
  for (;;) {
    let furthest: ArchivedFile | undefined
    for (; next < byStart.length && byStart[next]!.minTxid <= reaches + 1; next += 1) {
      const file = byStart[next]!
      if (furthest === undefined || isBetter(file, furthest)) furthest = file
    }
    if (furthest === undefined || furthest.maxTxid <= reaches) return { files, reaches }
    files.push(furthest)
    reaches = furthest.maxTxid
  }
}

/**
 * Prefers the file that reaches further. Between two that reach equally far, the one that begins later repeats fewer
 * transactions. Between two of the same range, the one of the higher level has fewer pages.
 */
function isBetter(file: ArchivedFile, other: ArchivedFile): boolean {
  if (file.maxTxid !== other.maxTxid) return file.maxTxid > other.maxTxid
  return file.minTxid > other.minTxid || (file.minTxid === other.minTxid && file.level > other.level)
}
