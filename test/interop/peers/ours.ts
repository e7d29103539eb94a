/** This implementation, behind the same interface as the others. */
import { systemEntropy } from '../../../shared/clock.ts'
import { bindDischarge } from '../../../shared/macaroon/bind.ts'
import { attenuate, createMacaroon } from '../../../shared/macaroon/attenuate.ts'
import { decodeTokenText, encodeText } from '../../../shared/macaroon/text.ts'
import { addThirdPartyCaveat } from '../../../shared/macaroon/third-party.ts'
import type { CaveatJudge } from '../../../shared/verifier/clear.ts'
import { refused } from '../../../shared/verifier/verdict.ts'
import { verifyWithKey } from '../../../shared/verifier/with-key.ts'
import type { Implementation } from './implementation.ts'

export const ours: Implementation = {
  name: 'macaroond',
  formats: ['v1', 'v2', 'v2j'],
  create: async ({ key, identifier, location, caveats, form }) =>
    encodeText(attenuate(createMacaroon({ secret: key, identifier, location }), caveats), form),
  attenuate: async ({ macaroon, caveats, form }) => encodeText(attenuate(decodeTokenText(macaroon), caveats), form),
  thirdParty: async ({ macaroon, key, ticket, location, form }) =>
    encodeText(
      addThirdPartyCaveat(decodeTokenText(macaroon), { caveatKey: key, ticket, location }, systemEntropy),
      form,
    ),
  bind: async ({ root, discharge, form }) =>
    encodeText(bindDischarge(decodeTokenText(root), decodeTokenText(discharge)), form),
  verify: async ({ macaroon, discharges, key, exact }) => {
    const bundle = [macaroon, ...discharges].map((text) => decodeTokenText(text))
    return verifyWithKey({ bundle, rootKey: { secret: key }, judge: literally(exact) }).ok
  },
  close: () => undefined,
}

/** By bytes: a caveat need not be text. */
function literally(exact: readonly Uint8Array[]): CaveatJudge {
  const known = new Set(exact.map((predicate) => Buffer.from(predicate).toString('hex')))
  return {
    judge: (caveat) =>
      known.has(Buffer.from(caveat).toString('hex'))
        ? { ok: true }
        : refused('caveat_refused', 'not one of those given'),
    describe: (caveat) => ({ caveat: Buffer.from(caveat).toString('hex') }),
  }
}
