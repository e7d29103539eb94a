import type { Command } from 'commander'
import { systemEntropy } from '../../shared/clock.ts'
import { MacaroondError } from '../../shared/errors.ts'
import type { TextFormat } from '../../shared/macaroon/text.ts'
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

export function addMacaroonThirdParty(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('third-party')
    .description('add a caveat to a macaroon from stdin that somebody else has to discharge')
  mandatory(command, '--key-file <file>', 'the caveat key, a secret that the third party makes its discharge with')
  command
    .option('--ticket <text>', 'what the third party knows the key and the condition by')
    .option('--ticket-hex <hex>', 'the same, for a ticket that is not text', parseHex)
    .option('--location <text>', 'where the third party is found; a hint, covered by no signature', '')
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

function ticketOf({ ticket, ticketHex }: ThirdPartyOptions): Uint8Array {
  const [given, more] = [ticket, ticketHex].filter((value) => value !== undefined)
  if (given !== undefined && more === undefined) return new Uint8Array(Buffer.from(given))
  throw new MacaroondError('usage', 'a third-party caveat has one ticket', {
    hint: 'give either --ticket or --ticket-hex',
  })
}
