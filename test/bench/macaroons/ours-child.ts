/** This library, as its users call it. */
import { systemEntropy } from '../../../shared/clock.ts'
import { bindDischarge } from '../../../shared/macaroon/bind.ts'
import { attenuate, createMacaroon } from '../../../shared/macaroon/attenuate.ts'
import type { Macaroon } from '../../../shared/macaroon/macaroon.ts'
import { decodeTokenText, encodeText } from '../../../shared/macaroon/text.ts'
import { addThirdPartyCaveat, createDischarge } from '../../../shared/macaroon/third-party.ts'
import { judgeExact, verifyWithKey } from '../../../shared/verifier/with-key.ts'
import { serveContender } from './contender.ts'
import { CAVEAT_SECRET, IDENTIFIER, LOCATION, SECRET, THIRD_PARTY, TICKET } from './specimen.ts'

const secret = Buffer.from(SECRET)
const asked = { caveatKey: Buffer.from(CAVEAT_SECRET), ticket: TICKET, location: THIRD_PARTY }

serveContender<Macaroon>({
  create: (predicates) => attenuate(createMacaroon({ secret, identifier: IDENTIFIER, location: LOCATION }), predicates),
  write: (macaroon) => encodeText(macaroon, 'v2'),
  read: (text) => decodeTokenText(text),
  verifier: (predicates) => {
    const judge = judgeExact(predicates)
    return (macaroon, discharges) => verifyWithKey({ bundle: [macaroon, ...discharges], rootKey: { secret }, judge }).ok
  },
  attenuate: (macaroon, predicate) => attenuate(macaroon, [predicate]),
  demand: (macaroon) => addThirdPartyCaveat(macaroon, asked, systemEntropy),
  discharge: (root, predicates) => bindDischarge(root, createDischarge({ ...asked, caveats: predicates })),
})
