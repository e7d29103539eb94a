/**
 * File checks for clusters that are only for trying things out: they may be in any folder, so this process warns about folders
 * that other users can write, where a production node refuses.
 */
import { distrustOfPath, warnOnlyOfDistrust } from '../../shared/files/trusted-file.ts'
import type { Terminal } from '../terminal.ts'

/** Prints the warnings for `folder`, and makes later file checks of this process warn only. */
export function useLenientChecks(folder: string, terminal: Terminal): void {
  warnOnlyOfDistrust()
  for (const { reason, action } of distrustOfPath(folder)) terminal.say(`warning: ${reason} (${action})`)
}
