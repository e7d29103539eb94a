/** Third-party caveats and their discharges for tests: a third party is its name, which is its ticket too. */
import { systemEntropy } from '../../../shared/clock.ts'
import { bindDischarges } from '../../../shared/macaroon/bind.ts'
import { encodeBundle } from '../../../shared/macaroon/bundle.ts'
import { attenuate } from '../../../shared/macaroon/attenuate.ts'
import type { Macaroon } from '../../../shared/macaroon/macaroon.ts'
import { addThirdPartyCaveat, createDischarge } from '../../../shared/macaroon/third-party.ts'
import { Node, outcome } from './fixture.ts'

const keyOf = (name: string): Uint8Array => new Uint8Array(Buffer.from(`key of ${name}`))

/** The macaroon with a caveat for each of these third parties. */
export function needs(macaroon: Macaroon, ...names: readonly string[]): Macaroon {
  return names.reduce(
    (made, name) =>
      addThirdPartyCaveat(
        made,
        { caveatKey: keyOf(name), ticket: name, location: `https://${name}.example` },
        systemEntropy,
      ),
    macaroon,
  )
}

/** What a third party gives out; `key` for one that uses another's. */
export function discharge(name: string, caveats: readonly string[] = [], key: string = name): Macaroon {
  return createDischarge({ ticket: name, caveatKey: keyOf(key), location: `https://${name}.example`, caveats })
}

/** With a caveat for further third parties, and first-party ones behind it. */
export function nested(name: string, further: readonly string[], caveats: readonly string[] = []): Macaroon {
  return attenuate(needs(discharge(name), ...further), caveats)
}

/** Bound, as text. */
export function bundle(root: Macaroon, ...discharges: readonly Macaroon[]): string {
  return encodeBundle(bindDischarges(root, discharges))
}

/** What a node says of a bundle, for an access of acme. */
export function judged(text: string, access: object = {}, node: Node = new Node()): string {
  return outcome(node.judge(text, { org: 'acme', ...access }))
}
