/** `token mint`: mints a token at the primary. stdout gets only the token, so that it can be redirected to a file. */
import type { Command } from 'commander'
import type { MintedToken } from '../../primary/signer/sdk.ts'
import { parseTtl } from '../arguments/times.ts'
import { earliestExpiry } from '../../shared/macaroon/expiry.ts'
import { expiryText } from '../arguments/expiry.ts'
import { addHelp } from '../arguments/help.ts'
import { mandatory, repeated } from '../arguments/options.ts'
import { profileOf, withSigner } from '../clients.ts'
import type { Terminal } from '../terminal.ts'

/** The options of `token mint`. */
interface MintOptions {
  readonly org: string
  readonly subject: string
  readonly subjectAsIs?: boolean
  readonly caveat?: readonly string[]
  readonly ttl: string
}

/** Adds `token mint`. Warnings go to stderr: a mint with a likely mistake is still a mint. */
export function addMint(token: Command, terminal: Terminal): void {
  const command = token
    .command('mint')
    .description('mint a token at the primary; the bare token goes to stdout, its id to stderr')
  mandatory(command, '--org <org>', 'the org whose root key mints it')
  mandatory(command, '--subject <subject>', 'the user or service it is for')
  command
    .option('--caveat <predicate>', 'a restriction, `key op value`; may be given more than once', repeated)
    .option('--ttl <duration>', 'how long it is valid: 30s, 5m, 24h, 7d, 1w, or 0 for ever', '24h')
    .option(
      '--subject-as-is',
      'accept a subject with invisible or ambiguous characters, which may look like another subject',
    )
    .action(async ({ org, subject, subjectAsIs = false, caveat = [], ttl }: MintOptions, own: Command) => {
      const request = { org, subject, subjectAsIs, caveats: caveat, ttlSeconds: parseTtl(ttl) }
      const minted = await withSigner(profileOf(own, terminal.env), (signer) => signer.mint(request))
      terminal.answer(documentOf(minted), minted.token, {
        what: `minted ${minted.id} for ${subject} of ${org}`,
        next: `the token is lost: revoke it with \`macaroond revoke --id ${minted.id}\`, and mint another one`,
      })
      if (terminal.json) return
      for (const warning of minted.warnings) terminal.say(`warning: ${warning}`)
      const expiry = earliestExpiry(minted.expiresAt, caveat)
      const life = expiry === undefined ? 'never expires' : `expires ${expiryText(expiry)}`
      terminal.say(`minted ${minted.id} for ${subject} of ${org}, ${life}`)
    })
  addHelp(command, {
    examples: [
      'macaroond token mint --org acme --subject alice > token.txt',
      "macaroond token mint --org acme --subject backup --caveat 'op = read' --caveat 'ip in 10.0.0.0/8' --ttl 1h",
    ],
    json: [
      '{"token": "mcn1_…", "id": "<kid>.<nonce>", "org", "subject", "issuedAt", "expiresAt", "position", "warnings"?: [<text>]}',
      'issuedAt and expiresAt are unix seconds; expiresAt is null for a token that never expires',
    ],
  })
}

function documentOf({ token, id, org, subject, issuedAtMs, expiresAt, position, warnings }: MintedToken): object {
  const issuedAt = Math.floor(issuedAtMs / 1000)
  return {
    token,
    id,
    org,
    subject,
    issuedAt,
    expiresAt: expiresAt === 0 ? null : expiresAt,
    position,
    ...(warnings.length > 0 && { warnings }),
  }
}
