/** A cluster to try things out may lie in any folder: what a node of production refuses is only told. */
import { distrustOfPath, warnOnlyOfDistrust } from '../../shared/files/trusted-file.ts'
import type { Terminal } from '../terminal.ts'

export function warnOnlyOf(folder: string, terminal: Terminal): void {
  warnOnlyOfDistrust()
  for (const { reason, action } of distrustOfPath(folder)) terminal.say(`warning: ${reason} (${action})`)
}
