/** `macaroond revoke`: revokes one token, or everything that a subject or an org was issued up to a time. */
import type { Command } from 'commander'
import type { RevokeIssuedRequest, RevokeOptions, RevokeResult, Signer } from '../../primary/signer/sdk.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { parseTokenId } from '../../shared/ids.ts'
import { addDryRun, answerDryRun, countFirst, DRY_RUN_JSON } from '../arguments/counting.ts'
import { addHelp } from '../arguments/help.ts'
import { parseMoment } from '../arguments/times.ts'
import { checkTokenArgument, readToken } from '../arguments/standard-input.ts'
import {
  addRevokingOptions,
  answerRevoked,
  REVOKED_EXIT,
  REVOKED_JSON,
  revokingOptions,
  type RevokingOptions,
} from '../arguments/revoking.ts'
import { profileOf, withSigner } from '../clients.ts'
import type { Profile } from '../../shared/config/profile.ts'
import type { Terminal } from '../terminal.ts'

/** The options of `revoke`. */
interface Options extends RevokingOptions {
  readonly token?: string
  readonly id?: string
  readonly org?: string
  readonly subject?: string
  readonly before?: string
  readonly dryRun?: boolean
}

/** Adds `macaroond revoke`. */
export function addRevoke(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('revoke')
    .description('revoke a token, or all tokens of a subject or an org, and everything made from them')
    .option('--token <->', 'the token: write `--token -`, it comes from stdin')
    .option('--id <id>', 'the id of a token, <kid>.<nonce>')
    .option('--org <org>', 'every token of this org that was issued up to now, or up to --before')
    .option('--subject <subject>', 'with --org: only those of this subject')
    .option('--before <time>', 'with --org: only tokens issued up to and including this time; RFC 3339 or unix seconds')
  addDryRun(addRevokingOptions(command)).action(async (options: Options, own: Command) => {
    const common = revokingOptions(options, terminal)
    checkName(options)
    const profile = profileOf(own, terminal.env)
    const issued = issuedOf(options)
    if (options.dryRun === true) return dryRun(profile, issued, terminal)
    // The token is read before the connection is opened: a person who pastes it would let the connection time out.
    const revoke = await revoking(options, common, terminal)
    await withSigner(profile, async (signer) => {
      if (issued !== undefined) await countFirst(signer, issued, terminal)
      answerRevoked(await revoke(signer), terminal)
    })
  })
  addHelp(command, {
    examples: [
      "macaroond revoke --token - --reason 'laptop lost' < token.txt",
      'macaroond revoke --id 3f0c….0199… --wait global',
      "macaroond revoke --org acme --subject alice --reason 'left the team'",
      'macaroond revoke --org acme --before 2026-11-01T00:00:00Z',
    ],
    json: [...REVOKED_JSON, DRY_RUN_JSON],
    exit: REVOKED_EXIT,
  })
}

/** Checks that exactly one of token, id and org is given, and no token as an argument. Throws usage, request_invalid. */
function checkName({ token, id, org, subject, before }: Options): void {
  if ([token, id, org].filter((name) => name !== undefined).length !== 1) {
    throw new MacaroondError('usage', 'revoke needs exactly one of a token, an id and an org', {
      hint: 'give `--token -` with the token on stdin, `--id ID`, or `--org ORG` with or without `--subject`',
    })
  }
  if (org === undefined && (subject !== undefined || before !== undefined)) {
    throw new MacaroondError('usage', '--subject and --before go with --org', {
      hint: 'a token is revoked permanently, whenever it was issued',
    })
  }
  if (id !== undefined) parseTokenId(id)
  checkTokenArgument(token)
}

/** The revocation as a call, ready to be made. */
async function revoking(
  options: Options,
  common: RevokeOptions,
  terminal: Terminal,
): Promise<(signer: Signer) => Promise<RevokeResult>> {
  const issued = issuedOf(options)
  if (issued !== undefined) return (signer) => signer.revokeIssued({ ...issued, ...common })
  const { id } = options
  const named = id === undefined ? { token: await readToken(terminal) } : { id }
  return (signer) => signer.revoke({ ...named, ...common })
}

/** The request for `--org`; undefined if one token is revoked. Throws usage. */
function issuedOf({ org, subject, before }: Options): RevokeIssuedRequest | undefined {
  if (org === undefined) return undefined
  const issuedUpToMs = before === undefined ? undefined : parseMoment('--before', before)
  return { org, ...(subject === undefined ? {} : { subject }), ...(issuedUpToMs === undefined ? {} : { issuedUpToMs }) }
}

/** Throws usage. */
async function dryRun(profile: Profile, issued: RevokeIssuedRequest | undefined, terminal: Terminal): Promise<void> {
  if (issued !== undefined) return withSigner(profile, (signer) => answerDryRun(signer, issued, terminal))
  throw new MacaroondError('usage', '--dry-run goes with --org', { hint: 'a single token needs no count' })
}
