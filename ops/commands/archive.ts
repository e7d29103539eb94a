/** `macaroond archive`: the commands that look into an archive, check it, repair it and rehearse a restore. */
import type { Command } from 'commander'
import type { Terminal } from '../terminal.ts'
import { addArchiveDrill } from './archive-drill.ts'
import { addArchiveJobs } from './archive-jobs.ts'
import { addArchiveKey } from './archive-key.ts'
import { addArchiveList } from './archive-list.ts'
import { addArchiveRehearse } from './archive-rehearse.ts'
import { addArchiveRepair } from './archive-repair.ts'
import { addArchiveVerify } from './archive-verify.ts'

export function addArchive(parent: Command, terminal: Terminal): void {
  const archive = parent.command('archive').description('look into an archive, check it, and rehearse a restore')
  addArchiveList(archive, terminal)
  addArchiveVerify(archive, terminal)
  addArchiveRepair(archive, terminal)
  addArchiveDrill(archive, terminal)
  addArchiveJobs(archive, terminal)
  addArchiveKey(archive, terminal)
  addArchiveRehearse(archive, terminal)
}
