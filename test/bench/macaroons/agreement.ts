/**
 * Before anything is measured: every library makes the same macaroons to the byte, accepts what the others accept, and
 * refuses what it should. Figures of two that do different things would say nothing.
 */
import { decodeTokenText, encodeText } from '../../../shared/macaroon/text.ts'
import type { Library } from './library.ts'
import { type Specimen, type Texts, textsOf } from './specimen.ts'

/** Throws at the first thing that it does in another way. */
export async function requireAgreement(library: Library, specimen: Specimen): Promise<void> {
  const texts = textsOf(specimen, library.forms)
  const { caveats, root, demanding, discharge } = texts
  await requireSame(library, texts, specimen)
  for (const form of library.forms) {
    await expectVerdict(library, true, { caveats, root: root[form] ?? '', discharges: [] }, `its token in ${form}`)
  }
  const [form = 'v2'] = library.forms
  const changed = { ...specimen.root, signature: specimen.root.signature.toReversed() }
  const forged = { caveats, root: encodeText(changed, form), discharges: [] }
  await expectVerdict(library, true, { caveats, root: demanding, discharges: [discharge] }, 'a discharged token')
  await expectVerdict(library, false, { caveats, root: demanding, discharges: [] }, 'a token without its discharge')
  await expectVerdict(library, false, { ...forged }, 'a changed signature')
  await expectVerdict(library, false, { ...forged, caveats: caveats - 1, root: root[form] ?? '' }, 'an unknown caveat')
}

async function requireSame(library: Library, texts: Texts, { caveats, root, discharge }: Specimen): Promise<void> {
  const made = [await library.create(caveats), await library.discharge(texts)]
  for (const [index, wanted] of [root, discharge].entries()) {
    const text = made[index] ?? ''
    // V1 text is compared as it came; of the others the signature covers all but the location.
    const same = library.forms[0] === 'v1' ? text : encodeText(decodeTokenText(text), 'v1')
    if (same !== encodeText(wanted, 'v1'))
      throw new Error(`${library.name} makes another macaroon of ${caveats} caveats`)
  }
}

async function expectVerdict(
  library: Library,
  wanted: boolean,
  presented: Parameters<Library['accepts']>[0],
  what: string,
): Promise<void> {
  if ((await library.accepts(presented)) === wanted) return
  throw new Error(`${library.name} ${wanted ? 'refuses' : 'accepts'} ${what} (${presented.caveats} caveats)`)
}
