import type { Command } from 'commander'
import type { RevokeOptions, RevokeResult, Signer } from '../../primary/client/sdk.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { parseTokenId } from '../../shared/ids.ts'
import { explain } from '../arguments/explain.ts'
import { parseMoment } from '../arguments/moment.ts'
import { readToken } from '../arguments/standard-input.ts'
import {
  addRevokingOptions,
  REVOKED_EXIT,
  REVOKED_JSON,
  revokedDone,
  revokedText,
  revokingOptions,
  type RevokingOptions,
} from '../arguments/revoking.ts'
import { checkTokenArgument } from '../arguments/token-argument.ts'
import { profileOf, withSigner } from '../clients.ts'
import type { Terminal } from '../terminal.ts'

interface Options extends RevokingOptions {
  readonly token?: string
  readonly id?: string
  readonly org?: string
  readonly subject?: string
  readonly before?: string
}

export function addRevoke(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('revoke')
    .description('revoke a token, or what a subject or a whole org was issued, and everything made from it')
    .option('--token <->', 'the token itself, from stdin: write `--token -`')
    .option('--id <id>', 'its id, <kid>.<nonce>')
    .option('--org <org>', 'every token of this org that was issued up to now, or up to --before')
    .option('--subject <subject>', 'with --org: only those of this subject')
    .option('--before <time>', 'with --org: only what was issued up to then, itself included; RFC 3339 or unix seconds')
  addRevokingOptions(command).action(async (options: Options, own: Command) => {
    const common = revokingOptions(options, terminal)
    checkName(options)
    const profile = profileOf(own, terminal.env)
    const revoke = await revoking(options, common, terminal)
    const revoked = await withSigner(profile, revoke)
    terminal.answer(revoked, revokedText(revoked), revokedDone(revoked))
  })
  explain(command, {
    examples: [
      "macaroond revoke --token - --reason 'laptop lost' < token.txt",
      'macaroond revoke --id 3f0c….0199… --wait global',
      "macaroond revoke --org acme --subject alice --reason 'left the team'",
      'macaroond revoke --org acme --before 2026-11-01T00:00:00Z',
    ],
    json: REVOKED_JSON,
    exit: REVOKED_EXIT,
  })
}

/** Exactly one of token, id and org, and no token among the arguments. Throws usage, request_invalid. */
function checkName({ token, id, org, subject, before }: Options): void {
  if ([token, id, org].filter((name) => name !== undefined).length !== 1) {
    throw new MacaroondError('usage', 'revoke takes a token, an id or an org, one of them', {
      hint: 'give `--token -` with the token on stdin, `--id ID`, or `--org ORG` with or without `--subject`',
    })
  }
  if (org === undefined && (subject !== undefined || before !== undefined)) {
    throw new MacaroondError('usage', '--subject and --before go with --org', {
      hint: 'a token, or its id, is revoked for good, whenever it was issued',
    })
  }
  if (id !== undefined) parseTokenId(id)
  checkTokenArgument(token)
}

async function revoking(
  { id, org, subject, before }: Options,
  common: RevokeOptions,
  terminal: Terminal,
): Promise<(signer: Signer) => Promise<RevokeResult>> {
  if (org !== undefined) {
    const untilMs = before === undefined ? undefined : parseMoment('--before', before)
    const named = { org, ...(subject === undefined ? {} : { subject }), ...(untilMs === undefined ? {} : { untilMs }) }
    return (signer) => signer.revokeIssued({ ...named, ...common })
  }
  const named = id === undefined ? { token: await readToken(terminal) } : { id }
  return (signer) => signer.revoke({ ...named, ...common })
}
