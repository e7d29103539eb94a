import { attenuate, decodeTokenText, encodeTokenText, inspect, type Macaroon, MacaroondError } from 'macaroond/holder'

// A macaroon of another authority: V2 in base64url.
const foreign =
  'AgEOaHR0cDovL215YmFuay8CFndlIHVzZWQgb3VyIHNlY3JldCBrZXkAAAYg49ngKQhSbEwAOa4VEUEV2X_daL8ro3mzQqrw9hfQVS8'
const held: Macaroon = decodeTokenText(foreign)
const narrow = decodeTokenText(encodeTokenText(attenuate(held, ['op = read'])))
if (narrow.caveats.length !== 1) throw new Error('the caveat was lost')

try {
  inspect(foreign)
  throw new Error('a macaroon of another authority was inspected')
} catch (error) {
  if (!(error instanceof MacaroondError) || error.code !== 'token_malformed') throw error
}

// @ts-expect-error A declaration that does not resolve would make everything `any`, and this line correct.
export const notANumber: number = held.location

console.log('ok')
