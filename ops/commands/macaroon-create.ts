/** `macaroon create`: makes a root macaroon or a discharge from a secret in a file, offline and without a cluster. */
import type { Command } from 'commander'
import { MacaroondError } from '../../shared/errors.ts'
import { attenuate, createMacaroon } from '../../shared/macaroon/attenuate.ts'
import type { TextFormat } from '../../shared/macaroon/text-codec.ts'
import { addHelp } from '../arguments/help.ts'
import { mandatory, repeated } from '../arguments/options.ts'
import type { Terminal } from '../terminal.ts'
import { readKeyFile } from './macaroon-input.ts'
import { answerMacaroon, parseHex, withFormat } from './macaroon-output.ts'

interface CreateOptions {
  readonly keyFile: string
  readonly identifier?: string
  readonly identifierHex?: Uint8Array
  readonly location: string
  readonly caveat?: readonly string[]
  readonly format?: TextFormat
}

/** Adds `macaroon create`. A discharge is a macaroon whose secret is the caveat key and whose identifier is the ticket. */
export function addMacaroonCreate(parent: Command, terminal: Terminal): void {
  const command = parent.command('create').description('make a macaroon, or a discharge, from a secret of your own')
  mandatory(
    command,
    '--key-file <file>',
    'file with the secret; its bytes are used as they are, but one newline at the end is removed',
  )
  command
    .option('--identifier <text>', 'tells the verifier which secret to use; for a discharge, the ticket')
    .option('--identifier-hex <hex>', 'an identifier that is not text, in hex', parseHex)
    .option('--location <text>', 'the service it is for; a hint that no signature covers', '')
    .option('--caveat <predicate>', 'a restriction, any text; may be given more than once', repeated)
  withFormat(command, 'v2').action((options: CreateOptions) => {
    const { keyFile, location, caveat = [], format = 'v2' } = options
    const identifier = identifierOf(options)
    const macaroon = createMacaroon({ secret: readKeyFile(keyFile), identifier, location })
    answerMacaroon(terminal, attenuate(macaroon, caveat), format)
  })
  addHelp(command, {
    examples: [
      "macaroond macaroon create --key-file root.key --identifier 'key 7' --location http://mybank/ > root.txt",
      "macaroond macaroon create --key-file caveat.key --identifier 'ticket 12' --caveat 'time < 2027-01-01T00:00:00Z'",
    ],
    json: ['{"macaroon", "format"}'],
  })
}

/** Exactly one of the two options. Throws usage. */
function identifierOf({ identifier, identifierHex }: CreateOptions): string | Uint8Array {
  const [given, more] = [identifier, identifierHex].filter((value) => value !== undefined)
  if (given !== undefined && more === undefined) return given
  throw new MacaroondError('usage', 'a macaroon has one identifier', {
    hint: 'give either --identifier or --identifier-hex',
  })
}
