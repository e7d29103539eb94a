/** `macaroon inspect`: shows the fields of any macaroon, offline. It verifies nothing. */
import type { Command } from 'commander'
import type { Caveat } from '../../shared/macaroon/macaroon.ts'
import type { TextFormat, TextMacaroon } from '../../shared/macaroon/text-codec.ts'
import { addHelp } from '../arguments/help.ts'
import { table, type Terminal } from '../terminal.ts'
import { readMacaroons } from './macaroon-input.ts'
import { type BytesDocument, bytesDocument } from './macaroon-output.ts'

/** Adds `macaroon inspect`. One macaroon is one document; only a bundle becomes a list. */
export function addMacaroonInspect(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('inspect')
    .description('show the fields of a macaroon from stdin; nothing is verified')
    .action(async () => {
      const inspections = (await readMacaroons(terminal)).map(inspect)
      const [only, ...more] = inspections
      const document = more.length === 0 ? only : { macaroons: inspections }
      terminal.answer(document ?? {}, inspections.flatMap(linesOf))
    })
  addHelp(command, {
    examples: ['macaroond macaroon inspect < macaroon.txt'],
    json: [
      '{"format", "location", "identifier": {"hex", "text"?}, "caveats": [<caveat>], "signature": <hex>}',
      'a caveat is {"cid": {"hex", "text"?}}; a third-party caveat also has "vid": <hex> and "location"',
      'format is v1, v2, v2j or text; "text" is present only if the bytes are UTF-8',
      'a bundle is {"macaroons": [<one each>]}',
    ],
  })
}

/** A caveat as JSON. `vid` is present only in a third-party caveat. */
interface CaveatDocument {
  readonly cid: BytesDocument
  readonly vid?: string
  readonly location?: string
}

interface Inspection {
  readonly format: TextFormat
  readonly location: string
  readonly identifier: BytesDocument
  readonly caveats: readonly CaveatDocument[]
  /** Hex. It is enough to attenuate and use the macaroon, so this output is as secret as the macaroon. */
  readonly signature: string
}

function inspect({ format, macaroon }: TextMacaroon): Inspection {
  const { location, identifier, caveats, signature } = macaroon
  return {
    format,
    location,
    identifier: bytesDocument(identifier),
    caveats: caveats.map(caveatDocument),
    signature: Buffer.from(signature).toString('hex'),
  }
}

function caveatDocument({ cid, vid, location = '' }: Caveat): CaveatDocument {
  if (vid === undefined) return { cid: bytesDocument(cid) }
  return { cid: bytesDocument(cid), vid: Buffer.from(vid).toString('hex'), location }
}

function linesOf({ format, location, identifier, caveats, signature }: Inspection): string[] {
  return table([
    ['format', format],
    ['location', location],
    ['identifier', shown(identifier)],
    ...caveats.flatMap(({ cid, vid, location: at = '' }) => [
      ['caveat', shown(cid)],
      ...(vid === undefined
        ? []
        : [
            ['  vid', vid],
            ['  location', at],
          ]),
    ]),
    ['signature', signature],
  ])
}

/** Text as it is, other bytes as hex with `0x`, so that the two cannot be confused by a reader. */
function shown({ hex, text }: BytesDocument): string {
  return text === undefined ? `0x${hex}` : text
}
