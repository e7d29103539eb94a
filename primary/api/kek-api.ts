/** The call that rotates the key-encryption key (KEK). The command checks that every replica has the new KEK. */
import type { KnownPeer } from '../../shared/channel/peers.ts'
import { positionText } from '../../shared/position.ts'
import { params } from '../../shared/protocol/params.ts'
import { rotateKekParams, type RotateKekResult } from '../../shared/protocol/sign.ts'
import type { KekRotated } from '../authority/commands.ts'
import type { GroupWriter } from '../commit-log/group-writer.ts'
import { actorOf, requireOperator } from './permissions.ts'

export interface KekApiOptions {
  readonly writer: GroupWriter
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
    const { writer, replicasWithout } = this.#options
    const { force } = params(rotateKekParams, value)
    requireOperator(peer, 'rotate the key-encryption key')
    const { answer, position } = await writer.submit<KekRotated>({
      kind: 'kek.rotate',
      actor: actorOf(peer),
      // A replica may connect again without the key while the command waits for its turn, so the command asks.
      replicasWithout: (kekId) => (force ? [] : replicasWithout(kekId).map(({ name }) => name)),
    })
    return { ...answer, position: positionText(position) }
  }
}
