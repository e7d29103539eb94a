/** `macaroon third-party`: adds a third-party caveat to any macaroon, offline, with a caveat key from a file. */
import type { Command } from 'commander'
import { systemEntropy } from '../../shared/clock.ts'
import { MacaroondError } from '../../shared/errors.ts'
import type { TextFormat } from '../../shared/macaroon/text-codec.ts'
import { addThirdPartyCaveat } from '../../shared/macaroon/third-party.ts'
import { addHelp } from '../arguments/help.ts'
import { mandatory } from '../arguments/options.ts'
import type { Terminal } from '../terminal.ts'
import { readKeyFile, readMacaroon } from './macaroon-input.ts'
import { answerMacaroon, parseHex, withFormat } from './macaroon-output.ts'

interface ThirdPartyOptions {
  readonly keyFile: string
  readonly ticket?: string
  readonly ticketHex?: Uint8Array
  readonly location: string
  readonly format?: TextFormat
}

/**
 * Adds `macaroon third-party`. The ticket is arbitrary bytes, which only the third party understands. `token attenuate` has no
 * such option, because macaroond's own tickets are sealed by the SDK.
 */
export function addMacaroonThirdParty(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('third-party')
    .description('add a caveat that a third party has to discharge to a macaroon from stdin')
  mandatory(command, '--key-file <file>', 'the caveat key: the secret with which the third party makes its discharge')
  command
    .option('--ticket <text>', 'tells the third party which key and which condition')
    .option('--ticket-hex <hex>', 'a ticket that is not text, in hex', parseHex)
    .option('--location <text>', 'the address of the third party; a hint that no signature covers', '')
  withFormat(command, 'that of the macaroon').action(async (options: ThirdPartyOptions) => {
    const ticket = ticketOf(options)
    const caveatKey = readKeyFile(options.keyFile)
    const { macaroon, format } = await readMacaroon(terminal)
    const caveat = { caveatKey, ticket, location: options.location }
    answerMacaroon(terminal, addThirdPartyCaveat(macaroon, caveat, systemEntropy), options.format ?? format)
  })
  addHelp(command, {
    examples: [
      "macaroond macaroon third-party --key-file caveat.key --ticket 'ticket 12' --location http://auth/ < root.txt",
    ],
    json: ['{"macaroon", "format"}'],
  })
}

/** Exactly one of the two options. Throws usage. */
function ticketOf({ ticket, ticketHex }: ThirdPartyOptions): Uint8Array {
  const [given, more] = [ticket, ticketHex].filter((value) => value !== undefined)
  if (given !== undefined && more === undefined) return new Uint8Array(Buffer.from(given))
  throw new MacaroondError('usage', 'a third-party caveat has one ticket', {
    hint: 'give either --ticket or --ticket-hex',
  })
}
