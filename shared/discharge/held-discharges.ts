/** Discharges that a bundle brought along: bound to its token already, and good until a `time` caveat ends them. */
import type { Macaroon } from '../macaroon/macaroon.ts'
import { compilePredicate } from '../macaroon/predicate/compile.ts'
import { decodeUtf8 } from '../macaroon/utf8.ts'

export class HeldDischarges {
  readonly #byTicket: Map<string, Macaroon[]>

  /** `nowMs` is unix milliseconds; those that ended are left out, so that fresh ones are had in their place. */
  constructor(discharges: readonly Macaroon[], nowMs: number) {
    this.#byTicket = Map.groupBy(
      discharges.filter((discharge) => endsAtMs(discharge) > nowMs),
      ({ identifier }) => hex(identifier),
    )
  }

  /** Each one counts once, as for the verifier. */
  take(ticket: Uint8Array): Macaroon | undefined {
    return this.#byTicket.get(hex(ticket))?.shift()
  }
}

/** By the upper bounds of its own caveats; Infinity without any. */
function endsAtMs({ caveats }: Macaroon): number {
  return caveats.reduce((ends, { cid, vid }) => {
    const text = vid === undefined ? decodeUtf8(cid) : undefined
    const predicate = text === undefined ? undefined : compilePredicate(text)
    const bounds = predicate?.kind === 'time' && predicate.bound === 'upper'
    return bounds ? Math.min(ends, predicate.instantMs) : ends
  }, Infinity)
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')
}
