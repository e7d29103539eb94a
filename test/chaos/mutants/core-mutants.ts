/** All planted bugs that tests of cores find. */
import type { CoreMutant } from './core-mutant.ts'
import { ARCHIVE_MUTANTS } from './cores/archive.ts'
import { PRIMARY_MUTANTS } from './cores/primary.ts'
import { REPLICA_MUTANTS } from './cores/replica.ts'
import { RESTORE_MUTANTS } from './cores/restore.ts'
import { SHARED_MUTANTS } from './cores/shared.ts'
import { WORKER_MUTANTS } from './cores/worker.ts'

export const CORE_MUTANTS: readonly CoreMutant[] = [
  ...SHARED_MUTANTS,
  ...PRIMARY_MUTANTS,
  ...ARCHIVE_MUTANTS,
  ...REPLICA_MUTANTS,
  ...WORKER_MUTANTS,
  ...RESTORE_MUTANTS,
]
