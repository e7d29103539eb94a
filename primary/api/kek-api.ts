/** Rotation of the key-encryption key, for operators. */
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
  /** The first one seals. */
  readonly ring: readonly [Kek, ...Kek[]]
  /** Replicas that have not shown in their last hello that they have this key-encryption key. */
  readonly replicasWithout: (kekId: string) => readonly KnownPeer[]
}

export class KekApi {
  readonly #options: KekApiOptions

  constructor(options: KekApiOptions) {
    this.#options = options
  }

  async rotate(peer: KnownPeer, value: unknown): Promise<RotateKekResult> {
    const { writer } = this.#options
    const { force } = params(rotateKekParams, value)
    requireOperator(peer, 'rotate the key-encryption key')
    if (!force) this.#requireEverywhere()
    const { answer, position } = await writer.submit<KekRotated>({ kind: 'kek.rotate', actor: actorOf(peer) })
    return { ...answer, position: positionText(position) }
  }

  #requireEverywhere(): void {
    const { ring, replicasWithout } = this.#options
    const without = replicasWithout(ring[0].id)
    if (without.length === 0) return
    const names = without.map(({ name }) => name).join(', ')
    throw new MacaroondError('kek_missing', `not shown to have key-encryption key ${ring[0].id}: ${names}`, {
      hint: 'give it to every replica first, with the earlier one under [[kek.previous]], and restart it; --force goes ahead, and those without it go on with the keys that they have opened, and do not start again until they have it',
    })
  }
}
