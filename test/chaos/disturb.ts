/** Changes the folder of a stopped replica, so that its next life needs a snapshot. */
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { PAGE_BYTES } from '../../shared/limits.ts'
import type { Disturbance } from './cells.ts'
import type { NodeFiles } from './cluster.ts'

/** `earlier` is a copy of the folder from long ago. */
export function disturb(node: NodeFiles, how: Disturbance, earlier: string): void {
  if (how === 'damaged') return damage(node.database)
  rmSync(node.data, { recursive: true, force: true })
  if (how === 'put back') cpSync(earlier, node.data, { recursive: true })
}

/** One bit of every page. */
function damage(database: string): void {
  if (!existsSync(database)) return
  const bytes = readFileSync(database)
  for (let at = PAGE_BYTES - 7; at < bytes.length; at += PAGE_BYTES) bytes[at] = (bytes[at] ?? 0) ^ 1
  writeFileSync(database, bytes)
}
