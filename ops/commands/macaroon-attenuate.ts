/** `macaroon attenuate`: adds first-party caveats to any macaroon, offline. */
import type { Command } from 'commander'
import { MacaroondError } from '../../shared/errors.ts'
import { attenuate } from '../../shared/macaroon/attenuate.ts'
import type { TextFormat } from '../../shared/macaroon/text-codec.ts'
import { addHelp } from '../arguments/help.ts'
import { repeated } from '../arguments/options.ts'
import type { Terminal } from '../terminal.ts'
import { readMacaroon } from './macaroon-input.ts'
import { answerMacaroon, parseHex, withFormat } from './macaroon-output.ts'

interface AttenuateOptions {
  readonly caveat?: readonly string[]
  readonly caveatHex?: readonly Uint8Array[]
  readonly format?: TextFormat
}

/**
 * Adds `macaroon attenuate`. Unlike `token attenuate` it checks no caveat, because another program gives the text its meaning.
 */
export function addMacaroonAttenuate(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('attenuate')
    .description('add restrictions to a macaroon from stdin')
    .option('--caveat <predicate>', 'a restriction, any text; may be given more than once', repeated)
    .option('--caveat-hex <hex>', 'a restriction that is not text, in hex; added after those of --caveat', repeatedHex)
  withFormat(command, 'that of the macaroon').action(async (options: AttenuateOptions) => {
    const caveats = [...(options.caveat ?? []), ...(options.caveatHex ?? [])]
    if (caveats.length === 0) {
      throw new MacaroondError('usage', 'there is nothing to add to the macaroon', { hint: 'give --caveat' })
    }
    const { macaroon, format } = await readMacaroon(terminal)
    answerMacaroon(terminal, attenuate(macaroon, caveats), options.format ?? format)
  })
  addHelp(command, {
    examples: ["macaroond macaroon attenuate --caveat 'account = 3735928559' < root.txt > narrow.txt"],
    json: ['{"macaroon", "format"}'],
  })
}

/** Collects `--caveat-hex`, which may be given more than once. Throws usage. */
function repeatedHex(text: string, previous: readonly Uint8Array[] = []): readonly Uint8Array[] {
  return [...previous, parseHex(text)]
}
