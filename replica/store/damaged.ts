/** Moves a damaged database aside with all its files, so that an operator can examine it and a snapshot can replace it. */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'

const PREFIX = 'damaged-'
/** `damaged-NUMBER-TIME`; earlier versions wrote `damaged-TIME`. The time is for people only: a clock may be set back. */
const NAME = /^damaged-(\d+)(?:-\d+)?$/
/** Number of folders kept: the oldest shows how the damage began, and denials are read from the newest. */
const KEEP = 2

/**
 * Moves the files and returns their new folder. No connection and no descriptor of the database may be open. The database is
 * the first of `names`, so it moves first: if a crash left it behind without its -wal, it would look like a sound older state
 * and accept revoked tokens (S3).
 */
export function moveAside(folder: string, names: readonly string[], nowMs: number): string {
  const number = (foldersIn(folder).at(-1)?.number ?? 0) + 1
  const target = join(folder, `${PREFIX}${number}-${nowMs}`)
  mkdirSync(target, { mode: 0o700 })
  for (const name of names) {
    if (existsSync(join(folder, name))) renameSync(join(folder, name), join(target, name))
  }
  const kept = foldersIn(folder)
  for (const { name } of kept.slice(1, Math.max(1, kept.length - KEEP + 1))) {
    rmSync(join(folder, name), { recursive: true, force: true })
  }
  return target
}

/**
 * Finishes a move that a crash interrupted. Such a crash leaves a -wal without a database, which would prevent a snapshot from
 * being built. The files that are left move to the database that was moved before them.
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

/** Path of the file that was moved aside last; undefined if there is none. */
export function lastMovedAside(folder: string, name: string): string | undefined {
  const paths = foldersIn(folder).map((aside) => join(folder, aside.name, name))
  return paths.findLast((path) => existsSync(path))
}

/** The folders of moved databases, in the order in which they were made. */
function foldersIn(folder: string): readonly { readonly name: string; readonly number: number }[] {
  const numbered = readdirSync(folder).flatMap((name) => {
    const number = NAME.exec(name)?.[1]
    return number === undefined ? [] : [{ name, number: Number(number) }]
  })
  return numbered.toSorted((a, b) => a.number - b.number)
}
