/** Parses the hello of a replica's `wal` channel and judges it against this primary's history. */
import type { JsonObject } from '../../shared/channel/json.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { timeline } from '../../shared/ids.ts'
import { parsePosition } from '../../shared/position.ts'
import { checkPosition } from '../../shared/protocol/signed-position.ts'
import { walHello, type WalHello } from '../../shared/protocol/wal.ts'
import { assess, type Assessment, type ReplicaClaim, type PrimaryHistory } from './assess.ts'

export interface HelloContext {
  readonly cluster: string
  /** Public key of the authority, 32 bytes. */
  readonly publicKey: Uint8Array
  readonly history: PrimaryHistory
}

/** Throws protocol_violation if the hello is malformed. */
export function judgeHello(hello: JsonObject, judge: HelloContext): Assessment {
  return assess(judge.history, readClaim(hello, judge))
}

/** Throws protocol_violation. */
export function readWalHello(hello: JsonObject): WalHello {
  const parsed = walHello.safeParse(hello)
  if (!parsed.success) throw new MacaroondError('protocol_violation', 'the hello on the `wal` channel is malformed')
  return parsed.data
}

function readClaim(hello: JsonObject, { cluster, publicKey }: HelloContext): ReplicaClaim {
  const { position, timeline: line, signed, revocations } = readWalHello(hello)
  return {
    position: position === null ? undefined : parsePosition(position),
    timeline: line === null ? undefined : timeline(line),
    // An invalid signature proves nothing, and the claimed position is still judged.
    proven: signed === null ? undefined : checkPosition(publicKey, cluster, signed),
    revocations: revocations === null ? undefined : { timeline: timeline(revocations.timeline), seq: revocations.seq },
  }
}
