/** The call that rotates the key-encryption key (KEK). It first checks that every replica has the new KEK. */
import type { KnownPeer } from '../../shared/channel/peers.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { positionText } from '../../shared/position.ts'
import { params } from '../../shared/protocol/params.ts'
import { rotateKekParams, type RotateKekResult } from '../../shared/protocol/sign.ts'
import type { Kek } from '../../shared/sealing.ts'
import type { KekRotated } from '../authority/commands.ts'
import type { GroupWriter } from '../commit-log/group-writer.ts'
import { actorOf, requireOperator } from './permissions.ts'

export interface KekApiOptions {
  readonly writer: GroupWriter
  /** The first KEK seals. */
  readonly ring: readonly [Kek, ...Kek[]]
  /** Replicas whose last hello did not name this KEK. */
  readonly replicasWithout: (kekId: string) => readonly KnownPeer[]
}

export class KekApi {
  readonly #options: KekApiOptions

  constructor(options: KekApiOptions) {
    this.#options = options
  }

  /** Throws permission_denied, kek_missing, kek_wrong. */
  async rotate(peer: KnownPeer, value: unknown): Promise<RotateKekResult> {
    const { writer } = this.#options
    const { force } = params(rotateKekParams, value)
    requireOperator(peer, 'rotate the key-encryption key')
    if (!force) this.#requireEverywhere()
    const { answer, position } = await writer.submit<KekRotated>({ kind: 'kek.rotate', actor: actorOf(peer) })
    return { ...answer, position: positionText(position) }
  }

  /** Throws kek_missing: a replica without the KEK could not open the resealed keys after its next start. */
  #requireEverywhere(): void {
    const { ring, replicasWithout } = this.#options
    const without = replicasWithout(ring[0].id)
    if (without.length === 0) return
    const names = without.map(({ name }) => name).join(', ')
    throw new MacaroondError(
      'kek_missing',
      `these replicas have not reported key-encryption key ${ring[0].id}: ${names}`,
      {
        hint: 'first configure it on every replica, with the earlier one under [[kek.previous]], and restart the replica. --force rotates anyway: a replica without the key continues with the root keys that it has opened, but cannot restart until it has the key',
      },
    )
  }
}
