/** The errors of a chain that another primary leads, that is damaged, or that is of another cluster. */
import type { ArchiveStorage } from '../../../shared/archive/storage.ts'
import { MacaroondError } from '../../../shared/errors.ts'
import type { Epoch } from '../../../shared/ids.ts'
import { CLAIMS_FILLED_MAX } from '../../../shared/limits.ts'

const COPY_HINT = 'find out which of the two has the true history, and stop the other one'

export function fenced({ location }: ArchiveStorage, epoch: Epoch): MacaroondError {
  return new MacaroondError('archive_fenced', `another primary leads the archive ${location} in epoch ${epoch}`, {
    hint: 'a restored database leads now: stop this primary, or restore again to make this one lead',
  })
}

export function wrongCluster({ location }: ArchiveStorage, cluster: string): MacaroondError {
  return new MacaroondError('wrong_cluster', `the archive ${location} belongs to cluster "${cluster}"`, {
    hint: 'every cluster has an archive of its own: check [archive] in the configuration',
  })
}

export function tooManyMissing({ location }: ArchiveStorage, first: Epoch, own: Epoch): MacaroondError {
  return new MacaroondError(
    'archive_damaged',
    `more than ${CLAIMS_FILLED_MAX} claims of epochs are missing in ${location} between ${first} and ${own}`,
    { hint: 'put the objects under macaroond/epochs/ back from a copy of the archive, or name a new place for it' },
  )
}

export function arrivedLate({ location }: ArchiveStorage, entry: number): MacaroondError {
  return new MacaroondError(
    'archive_unavailable',
    `${location} wrote entry ${entry} of the manifest after its request was given up`,
    { hint: 'the primary reads the archive again and goes on by itself; check the speed of the store' },
  )
}

export function fencedByCopy({ location }: ArchiveStorage, entry: number): MacaroondError {
  return new MacaroondError(
    'archive_fenced',
    `a copy of this primary writes to the archive ${location}: it wrote entry ${entry} of the manifest`,
    { hint: COPY_HINT },
  )
}

export function writtenByCopy({ location }: ArchiveStorage, entry: number): MacaroondError {
  return new MacaroondError(
    'archive_damaged',
    `entry ${entry} of the manifest in ${location} is not the one that this database knows: a copy of this primary wrote it`,
    { hint: COPY_HINT },
  )
}
