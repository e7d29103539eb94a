/** `macaroond revoke`: revokes one token, or everything that a subject or an org was issued up to a time. */
import { type Command, Option } from 'commander'
import type { RevokeIssuedRequest, RevokeOptions, RevokeResult, Signer } from '../../primary/signer/sdk.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { parseTokenId } from '../../shared/ids.ts'
import {
  addDryRun,
  answerDryRun,
  answerDryRunOfToken,
  countFirst,
  DRY_RUN_JSON,
  DRY_RUN_OF_TOKEN_JSON,
} from '../arguments/counting.ts'
import { addHelp } from '../arguments/help.ts'
import { addUtc, MOMENT_FORMS, readMoment, type MomentOptions } from '../arguments/moments.ts'
import { checkTokenArgument, idOfInput, readToken } from '../arguments/standard-input.ts'
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
interface Options extends RevokingOptions, MomentOptions {
  readonly token?: string
  readonly id?: string
  readonly org?: string
  readonly subject?: string
  readonly before?: string
  readonly all?: boolean
  readonly yes?: boolean
  readonly dryRun?: boolean
}

/** Adds `macaroond revoke`. */
export function addRevoke(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('revoke')
    .description('revoke a token, or all tokens of a subject or an org, and everything made from them')
    .option('--token <->', 'the token: write `--token -`, it comes from stdin')
    .option('--id <id>', 'the id of a token, <kid>.<nonce>')
    .option(
      '--org <org>',
      'every token of this org that was issued up to now, or up to --before; needs --subject or --all',
    )
    .option('--subject <subject>', 'with --org: only those of this subject')
    .option('--all', 'with --org: those of every subject; --yes is the same')
    .option('--before <time>', `with --org: only tokens issued up to and including this time: ${MOMENT_FORMS}`)
  command.addOption(new Option('--yes').hideHelp())
  addUtc(addDryRun(addRevokingOptions(command))).action(async (options: Options, own: Command) => {
    const common = revokingOptions(options, terminal)
    checkName(options)
    const profile = profileOf(own, terminal.env)
    const issued = issuedOf(options, terminal)
    if (options.dryRun === true) return dryRun(profile, issued, options, terminal)
    // The token is read before the connection is opened: a person who pastes it would let the connection time out.
    const revoke = await revoking(options, issued, common, terminal)
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
      'macaroond revoke --org acme --all --before "2 hours ago" --dry-run',
      'macaroond revoke --org acme --all --before 2026-11-01T12:00:05.250Z',
    ],
    json: [...REVOKED_JSON, ...DRY_RUN_JSON, DRY_RUN_OF_TOKEN_JSON],
    exit: REVOKED_EXIT,
  })
}

/** Checks that exactly one of token, id and org is given, and no token as an argument. Throws usage, request_invalid. */
function checkName({ token, id, org, subject, before, all, yes, dryRun }: Options): void {
  if ([token, id, org].filter((name) => name !== undefined).length !== 1) {
    throw new MacaroondError('usage', 'revoke needs exactly one of a token, an id and an org', {
      hint: 'give `--token -` with the token on stdin, `--id ID`, or `--org ORG` with or without `--subject`',
    })
  }
  if (org === undefined && (subject !== undefined || before !== undefined || all === true)) {
    const what = all === true ? '--all goes' : '--subject and --before go'
    throw new MacaroondError('usage', `${what} with --org`, {
      hint: 'a token is revoked permanently, whenever it was issued',
    })
  }
  if (subject !== undefined && all === true) {
    throw new MacaroondError('usage', 'give --subject or --all, not both', {
      hint: '--all is for the tokens of every subject',
    })
  }
  if (org !== undefined && subject === undefined && all !== true && yes !== true && dryRun !== true) {
    throw new MacaroondError('usage', `this would revoke the tokens of every subject of ${org}`, {
      hint: 'give --all if you mean that, or --subject for one of them; --dry-run shows how many there are',
    })
  }
  if (id !== undefined) parseTokenId(id)
  checkTokenArgument(token)
}

/** The revocation as a call, ready to be made. */
async function revoking(
  { id }: Options,
  issued: RevokeIssuedRequest | undefined,
  common: RevokeOptions,
  terminal: Terminal,
): Promise<(signer: Signer) => Promise<RevokeResult>> {
  if (issued !== undefined) return (signer) => signer.revokeIssued({ ...issued, ...common })
  const named = id === undefined ? { token: await readToken(terminal) } : { id }
  return (signer) => signer.revoke({ ...named, ...common })
}

/** The request for `--org`; undefined if one token is revoked. Throws usage. */
function issuedOf(options: Options, terminal: Terminal): RevokeIssuedRequest | undefined {
  const { org, subject, before, utc = false, dryRun = false } = options
  if (org === undefined) return undefined
  const issuedUpToMs = before === undefined ? undefined : readMoment('--before', before, { utc, dryRun }, terminal)
  return { org, ...(subject === undefined ? {} : { subject }), ...(issuedUpToMs === undefined ? {} : { issuedUpToMs }) }
}

/** Throws the primary's error, usage, and what reading a token throws. */
async function dryRun(
  profile: Profile,
  issued: RevokeIssuedRequest | undefined,
  { id }: Options,
  terminal: Terminal,
): Promise<void> {
  if (issued !== undefined) return withSigner(profile, (signer) => answerDryRun(signer, issued, terminal))
  const named = id ?? (await idOfInput(terminal))
  await withSigner(profile, (signer) => answerDryRunOfToken(signer, named, terminal))
}
