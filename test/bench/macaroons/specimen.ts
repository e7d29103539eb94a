/** The macaroons that every library gets: made here, in all formats, so that none measures something of its own. */
import { systemEntropy } from '../../../shared/clock.ts'
import { bindDischarge } from '../../../shared/macaroon/bind.ts'
import type { MacaroonFormat } from '../../../shared/macaroon/format.ts'
import { attenuate, createMacaroon } from '../../../shared/macaroon/attenuate.ts'
import type { Macaroon } from '../../../shared/macaroon/macaroon.ts'
import { encodeText } from '../../../shared/macaroon/text.ts'
import { addThirdPartyCaveat, createDischarge } from '../../../shared/macaroon/third-party.ts'

export const SECRET = 'the secret that all the libraries make their tokens with'
export const IDENTIFIER = 'token 4f3d9c1b8a7e6d5c of alice, minted for the bench'
export const LOCATION = 'https://api.example'
export const CAVEAT_SECRET = 'what the login and the verifier know'
export const TICKET = 'ticket 0f1e2d3c4b5a69788796a5b4c3d2e1f0 of the login'
export const THIRD_PARTY = 'https://login.example'
/** What an attenuation adds. */
export const ADDED = 'op = read'

/** As long as caveats are, and each different from all others. */
export function predicates(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => {
    const kinds = [
      `op in read,write,list${index}`,
      `path prefix /projects/${index}/plan`,
      `ip in 10.${index}.0.0/16`,
      `time < 2${100 + index}-01-01T00:00:00Z`,
      `region = fra${index}`,
    ]
    return kinds[index % kinds.length] ?? ''
  })
}

export interface Specimen {
  readonly caveats: number
  readonly root: Macaroon
  /** The root with a third-party caveat. */
  readonly demanding: Macaroon
  /** Bound to the demanding one. */
  readonly discharge: Macaroon
}

export function specimen(caveats: number): Specimen {
  const secret = Buffer.from(SECRET)
  const texts = predicates(caveats)
  const root = attenuate(createMacaroon({ secret, identifier: IDENTIFIER, location: LOCATION }), texts)
  const caveatKey = Buffer.from(CAVEAT_SECRET)
  const asked = { caveatKey, ticket: TICKET, location: THIRD_PARTY }
  const demanding = addThirdPartyCaveat(root, asked, systemEntropy)
  const discharge = bindDischarge(demanding, createDischarge({ ...asked, caveats: texts }))
  return { caveats, root, demanding, discharge }
}

/** A specimen as a library reads it. */
export interface Texts {
  readonly caveats: number
  /** In each format that is measured. */
  readonly root: Readonly<Partial<Record<MacaroonFormat, string>>>
  readonly demanding: string
  readonly discharge: string
}

/** In these formats; what is not parsed to be measured comes in the first of them. */
export function textsOf({ caveats, root, demanding, discharge }: Specimen, forms: readonly MacaroonFormat[]): Texts {
  const [form = 'v2'] = forms
  return {
    caveats,
    root: Object.fromEntries(forms.map((one) => [one, encodeText(root, one)])),
    demanding: encodeText(demanding, form),
    discharge: encodeText(discharge, form),
  }
}
