/** Moves a database that cannot be used aside, whole, so that people can look at it and a snapshot can take its place. */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'

const PREFIX = 'damaged-'
/** More than one is kept because the first is the one that tells what happened; not all, because disks are finite. */
const KEEP = 2

/**
 * No connection and no descriptor of the database may be open. Returns the folder that it is in now. `names` begin with the
 * database: without its -wal it would be an older state that looks sound, and accept what this replica had refused (S3).
 */
export function moveAside(folder: string, names: readonly string[], nowMs: number): string {
  const target = join(folder, `${PREFIX}${nowMs}`)
  mkdirSync(target, { mode: 0o700 })
  for (const name of names) {
    if (existsSync(join(folder, name))) renameSync(join(folder, name), join(target, name))
  }
  const kept = readdirSync(folder)
    .filter((name) => name.startsWith(PREFIX))
    .toSorted()
  for (const old of kept.slice(1, Math.max(1, kept.length - KEEP + 1))) {
    rmSync(join(folder, old), { recursive: true, force: true })
  }
  return target
}

/**
 * A crash between two of those renames leaves a -wal without a database; as long as it is there no snapshot can be built. It goes
 * to the database that was moved just before.
 */
export function finishMovingAside(folder: string, names: readonly string[], nowMs: number): void {
  const [database = '', ...companions] = names
  const left = companions.filter((name) => existsSync(join(folder, name)))
  if (existsSync(join(folder, database)) || left.length === 0) return
  const begun = lastMovedAside(folder, database)
  const isAlone = begun !== undefined && left.every((name) => !existsSync(join(dirname(begun), name)))
  if (!isAlone) return void moveAside(folder, left, nowMs)
  for (const name of left) renameSync(join(folder, name), join(dirname(begun), name))
}

/** The last one that was moved aside; undefined where none was. */
export function lastMovedAside(folder: string, name: string): string | undefined {
  const paths = readdirSync(folder)
    .filter((entry) => entry.startsWith(PREFIX))
    .toSorted()
    .map((entry) => join(folder, entry, name))
  return paths.findLast((path) => existsSync(path))
}
