/** Pure: the fewest files that lead from nothing to one transaction, each following the one before without a gap. */
import type { Txid } from '../ids.ts'
import type { ArchivedFile } from './layout.ts'

export interface Chain {
  /** A whole database first, then what changed; they may overlap. */
  readonly files: readonly ArchivedFile[]
  /** Last transaction it leads to. */
  readonly reaches: Txid
}

/** Files that begin with transaction 1 hold every page: a restore begins with one. */
function isWhole({ minTxid }: ArchivedFile): boolean {
  return minTxid === 1
}

/**
 * The chain that ends at `target` exactly, or the one that comes nearest to it from below; undefined when nothing begins
 * before it. The newest whole database comes first, then always the file that reaches furthest: with intervals no other
 * choice needs fewer.
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

/** As far as changes go on from one whole database, without a later one. */
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

/** Of two that reach equally far, the one that begins later holds less that is known already, and the merged one has fewer pages. */
function isBetter(file: ArchivedFile, than: ArchivedFile): boolean {
  if (file.maxTxid !== than.maxTxid) return file.maxTxid > than.maxTxid
  return file.minTxid > than.minTxid || (file.minTxid === than.minTxid && file.level > than.level)
}
