/** The errors for a write that the primary does not take now, and for a channel that it does not open. */
import { MacaroondError } from '../../shared/errors.ts'
import { clockDoubtError } from '../authority/believed.ts'
import type { PrimaryStatus } from '../../shared/protocol/status.ts'

export type WritesState = PrimaryStatus['writes']

/** The error for a command that the primary does not take in this state. */
export function refusalError(state: Exclude<WritesState, 'open'>): MacaroondError {
  switch (state) {
    case 'unconfirmed':
      return new MacaroondError(
        'write_unconfirmed',
        'no replica, and no archive on another disk, has confirmed this primary’s position since it started',
        {
          hint: 'start a replica, or make the archive reachable; or, if this disk is known to be the newest, set `alone = true` in the primary’s configuration',
        },
      )
    case 'clock in doubt':
      return clockDoubtError()
    case 'disk full':
      return new MacaroondError('disk_full', 'the disk of this primary is full', {
        hint: 'free space or inodes (`df -i`) on the volume of `data`; writes then resume. Revocations are taken until the reserve is used up',
      })
    case 'stopping':
      return new MacaroondError('closed', 'this primary is stopping', { hint: 'try again in a few seconds' })
  }
}

export function notAReplica(channel: string): MacaroondError {
  return new MacaroondError('peer_refused', `only a replica may open the ${channel} channel`, {
    hint: 'if this PeerId is a replica, list it with `role = "replica"` in the primary’s configuration',
  })
}

export function noSuchChannel(channel: string): MacaroondError {
  return new MacaroondError('peer_refused', `this node is the primary: it has no ${channel} channel`, {
    hint: 'connect to a replica to verify tokens',
  })
}
