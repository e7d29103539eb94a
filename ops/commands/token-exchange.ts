/**
 * `token exchange`: makes a service token from a token and its login discharge. The service token keeps all other caveats and
 * is revoked with each token it was made from.
 */
import type { Command } from 'commander'
import type { ExchangeResult } from '../../shared/protocol/sign.ts'
import { parseTtl } from '../arguments/times.ts'
import { addHelp } from '../arguments/help.ts'
import { mandatory } from '../arguments/options.ts'
import { readToken } from '../arguments/standard-input.ts'
import { profileOf, withSigner } from '../clients.ts'
import type { Terminal } from '../terminal.ts'

/** The options of `token exchange`. */
interface ExchangeOptions {
  readonly strip: string
  readonly id: string
  readonly ticket: string
  readonly ttl?: string
}

/** Adds `token exchange`. `--id` and `--ticket` name the login caveat, because any holder can rewrite its location. */
export function addExchange(token: Command, terminal: Terminal): void {
  const command = token
    .command('exchange')
    .description('make a service token, which needs no login, from a token and its login discharge on stdin')
  mandatory(command, '--strip <location>', 'location of the login, whose caveat is removed')
  mandatory(command, '--id <id>', 'id of the token to which you added the login caveat, as you recorded it then')
  mandatory(command, '--ticket <ticket>', 'ticket of that caveat, as `token inspect --json` printed it then')
  command
    .option('--ttl <duration>', 'how long it is valid: 30s, 5m, 24h, 30d (default: as long as the primary allows)')
    .action(async ({ strip, id, ticket, ttl }: ExchangeOptions, own: Command) => {
      const profile = profileOf(own, terminal.env)
      const life = ttl === undefined ? {} : { ttlSeconds: parseTtl(ttl) }
      const request = { token: await readToken(terminal), strip, id, ticket, ...life }
      const exchanged = await withSigner(profile, (signer) => signer.exchange(request))
      terminal.answer(documentOf(exchanged), exchanged.token, {
        what: `made ${exchanged.id} for ${exchanged.subject} of ${exchanged.org}`,
        next: `the token is lost: revoke it with \`macaroond revoke --id ${exchanged.id}\`, and exchange again`,
      })
      if (!terminal.json) terminal.say(`made ${exchanged.id} for ${exchanged.subject}, ${lineageText(exchanged)}`)
    })
  addHelp(command, {
    examples: [
      'macaroond token exchange --strip https://login.example --id "$(cat login.id)" --ticket "$(cat login.ticket)" < bundle.txt > service.txt',
      "macaroond token attenuate --caveat 'machine = m1' < service.txt",
    ],
    json: [
      '{"token": "mcn1_…", "id", "org", "subject", "issuedAt", "expiresAt", "ancestors": [<id>], "stripped", "position"}',
      'any holder can rewrite a location, so id and ticket name the caveat that you added, and only that caveat is removed',
      'it keeps every other caveat, and is revoked with each of its ancestors; times are in unix seconds',
    ],
  })
}

function documentOf(exchanged: ExchangeResult): object {
  const { issuedAtMs, token, id, org, subject, expiresAt, ancestors, stripped, position } = exchanged
  const issuedAt = Math.floor(issuedAtMs / 1000)
  return { token, id, org, subject, issuedAt, expiresAt, ancestors, stripped, position }
}

function lineageText({ ancestors, expiresAt }: ExchangeResult): string {
  return `revoked with ${ancestors.join(', ')}, expires ${new Date(expiresAt * 1000).toISOString()}`
}
