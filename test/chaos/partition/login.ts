/** Tokens with a login that is discharged already, so that the authority makes service tokens of them. */
import { systemEntropy } from '../../../shared/clock.ts'
import { bindDischarges } from '../../../shared/macaroon/bind.ts'
import { encodeBundle } from '../../../shared/macaroon/bundle.ts'
import { decodeTokenText } from '../../../shared/macaroon/text.ts'
import { addThirdPartyCaveat, createDischarge } from '../../../shared/macaroon/third-party.ts'

export const LOGIN = 'https://login.example'

export function withLogin(token: string): string {
  const caveatKey = systemEntropy.bytes(32)
  const ticket = systemEntropy.bytes(16)
  const root = addThirdPartyCaveat(decodeTokenText(token), { caveatKey, ticket, location: LOGIN }, systemEntropy)
  return encodeBundle(bindDischarges(root, [createDischarge({ ticket, caveatKey })]))
}
