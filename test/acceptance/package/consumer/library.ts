import {
  attenuate,
  createMacaroon,
  decodeTokenText,
  derivedKeyOf,
  encodeTokenText,
  type Macaroon,
  MacaroondError,
  verifyMacaroon,
} from 'macaroond'

const rootKey = { secret: new TextEncoder().encode('a secret that only the issuer has') }
const minted: Macaroon = createMacaroon({ ...rootKey, identifier: 'key 1', location: 'https://example.org' })
const received: Macaroon = decodeTokenText(encodeTokenText(attenuate(minted, ['op = read'])))

if (verifyMacaroon(received, derivedKeyOf(rootKey)) === undefined) throw new Error('a genuine macaroon was refused')
const forged: Macaroon = { ...received, caveats: [] }
if (verifyMacaroon(forged, derivedKeyOf(rootKey)) !== undefined) throw new Error('a forged macaroon was accepted')

try {
  decodeTokenText('mcn1_AAAA')
  throw new Error('a truncated token was read')
} catch (error) {
  if (!(error instanceof MacaroondError) || error.code !== 'token_truncated') throw error
}

// @ts-expect-error A declaration that does not resolve would make everything `any`, and this line correct.
export const notANumber: number = minted.location

console.log('ok')
