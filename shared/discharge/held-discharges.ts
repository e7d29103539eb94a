/** The discharges that a bundle already contains. They are bound to its token, and valid until a `time` caveat expires. */
import type { Macaroon } from '../macaroon/macaroon.ts'
import { compilePredicate } from '../macaroon/predicate/compile.ts'
import { decodeUtf8 } from '../macaroon/utf8.ts'

export class HeldDischarges {
  readonly #byTicket: Map<string, Macaroon[]>

  /** `nowMs` is unix milliseconds. Expired discharges are left out, so that the client fetches new ones. */
  constructor(discharges: readonly Macaroon[], nowMs: number) {
    this.#byTicket = Map.groupBy(
      discharges.filter((discharge) => endsAtMs(discharge) > nowMs),
      ({ identifier }) => hex(identifier),
    )
  }

  /** Takes a discharge for the ticket. Each is returned once, because a verifier accepts it for one caveat only. */
  take(ticket: Uint8Array): Macaroon | undefined {
    return this.#byTicket.get(hex(ticket))?.shift()
  }
}

/** The lowest upper bound of its `time` caveats, unix milliseconds; Infinity if it has none. */
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
