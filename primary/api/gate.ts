/** Why writes are not taken now, if they are not, and why a channel is not opened. */
import { MacaroondError } from '../../shared/errors.ts'
import type { BelievedTime, JudgedTime } from '../../shared/freshness/credible-time.ts'
import type { PrimaryStatus } from '../../shared/protocol/status.ts'

export type WritesState = PrimaryStatus['writes']

/** Throws write_unconfirmed, clock_implausible, disk_full or closed. */
export function requireOpen(state: WritesState): void {
  switch (state) {
    case 'open':
      return
    case 'unconfirmed':
      throw new MacaroondError(
        'write_unconfirmed',
        'no replica, and no archive elsewhere, has agreed with this primary’s position since it started',
        {
          hint: 'start a replica, or make the archive reachable; or, if this disk is known to be the newest, set `alone = true` in the primary’s configuration',
        },
      )
    case 'clock in doubt':
      throw clockInDoubt()
    case 'disk full':
      throw new MacaroondError('disk_full', 'the last transaction could not be logged: the disk is full', {
        hint: 'free space on the volume of `data`; writes go on by themselves',
      })
    case 'stopping':
      throw new MacaroondError('closed', 'this primary is stopping', { hint: 'try again in a moment' })
  }
}

/** Throws clock_implausible. */
export function requireTime(time: JudgedTime): BelievedTime {
  if (time.credible) return time
  throw clockInDoubt()
}

function clockInDoubt(): MacaroondError {
  return new MacaroondError('clock_implausible', 'this primary does not believe its clock', {
    hint: '`macaroond status` says why; put the clock right, or, if it is right, start the primary with --accept-clock',
  })
}

export function notAReplica(channel: string): MacaroondError {
  return new MacaroondError('peer_refused', `only a replica may open the ${channel} channel`, {
    hint: 'list this PeerId with `role = "replica"` in the primary’s configuration, if it is one',
  })
}

export function notHere(channel: string): MacaroondError {
  return new MacaroondError('peer_refused', `this node is the primary: it has no ${channel} channel`, {
    hint: 'tokens are verified at a replica',
  })
}
