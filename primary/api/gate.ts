/** Why writes are not taken now, if they are not. */
import { MacaroondError } from '../../shared/errors.ts'
import type { PrimaryStatus } from '../../shared/protocol/status.ts'

export type WritesState = PrimaryStatus['writes']

/** Throws write_unconfirmed, disk_full or closed. */
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
    case 'disk full':
      throw new MacaroondError('disk_full', 'the last transaction could not be logged: the disk is full', {
        hint: 'free space on the volume of `data`; writes go on by themselves',
      })
    case 'stopping':
      throw new MacaroondError('closed', 'this primary is stopping', { hint: 'try again in a moment' })
  }
}
