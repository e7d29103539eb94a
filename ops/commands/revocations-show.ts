/** `revocations show`: answers whether a revocation is in force, and at which replicas. */
import type { Command } from 'commander'
import type { FindRevocationsParams, RevocationDescription, ShownRevocation } from '../../primary/signer/sdk.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { parseTokenId } from '../../shared/ids.ts'

import { addHelp } from '../arguments/help.ts'
import { coverageTexts } from '../arguments/revoking.ts'
import { checkTokenArgument, readToken } from '../arguments/standard-input.ts'
import { profileOf, withSigner } from '../clients.ts'
import { EXIT_FAILED } from '../exit-status.ts'
import { timeText } from '../restore/describe.ts'
import type { Terminal } from '../terminal.ts'

/** The options that select revocations, as texts. */
interface ShowOptions {
  readonly seq?: string
  readonly token?: string
  readonly id?: string
  readonly org?: string
  readonly subject?: string
}

/** Adds `revocations show`. An empty result fails, so that a script can check that something is revoked. */
export function addShow(revocations: Command, terminal: Terminal): void {
  const command = revocations
    .command('show')
    .description('show the revocations that apply to a token or an org, and where each of them binds now')
    .option('--seq <seq>', 'one revocation, by its number')
    .option(
      '--token <->',
      'those that apply to this token or its ancestors; write `--token -`, the token comes from stdin',
    )
    .option('--id <id>', 'those that apply to the token with this id, as far as its mint is on record')
    .option('--org <org>', 'the revocations of an org')
    .option('--subject <subject>', 'with --org: only those of this subject')
    .action(async (options: ShowOptions, own: Command) => {
      checkQuery(options)
      const profile = profileOf(own, terminal.env)
      const query = await queryOf(options, terminal)
      const shown = await withSigner(profile, (signer) => signer.showRevocations(query))
      if (shown.revocations.length === 0) terminal.status = EXIT_FAILED
      terminal.answer(shown, shown.revocations.flatMap(revocationLines))
      if (!terminal.json) terminal.say(summary(shown.revocations, shown.more))
    })
  addHelp(command, {
    examples: [
      'macaroond revocations show --token - < token.txt',
      'macaroond revocations show --org acme --subject alice',
      'macaroond revocations show --seq 17 --json',
    ],
    json: [
      '{"revocations": [{…as in `revocations list`…, "coverage": {"covered", "replicas": [{"name", "region", "how", "atMs"}], …}}], "more"}',
      'coverage.covered: no replica and no service accepts what it revokes; more: there are more than these 20',
    ],
    exit: '1 when there is no such revocation',
  })
}

type Named = Partial<Pick<RevocationDescription, 'id' | 'subject' | 'kid' | 'issuedUpToMs'>>

/** The token id, key or subject that a revocation names, and for a cut-off the latest time of issue that it revokes. */
export function namedText({ id, subject, kid, issuedUpToMs }: Named): string {
  const what = id ?? kid ?? subject ?? ''
  return issuedUpToMs === undefined ? what : `${what} issued up to ${timeText(issuedUpToMs)}`.trimStart()
}

/** Throws usage, request_invalid. */
function checkQuery({ seq, token, id, org, subject }: ShowOptions): void {
  if ([seq, token, id, org].filter((name) => name !== undefined).length !== 1) {
    throw new MacaroondError('usage', 'show needs exactly one of a number, a token, an id and an org', {
      hint: 'give `--token -` with the token on stdin, or one of --id, --seq and --org',
    })
  }
  if (subject !== undefined && org === undefined) throw new MacaroondError('usage', '--subject goes with --org')
  if (seq !== undefined && !/^[1-9]\d{0,14}$/.test(seq)) {
    throw new MacaroondError('usage', `--seq is a whole number from 1, not ${seq.slice(0, 80)}`)
  }
  if (id !== undefined) parseTokenId(id)
  checkTokenArgument(token)
}

/** The query for the primary. Reads the token only after all options were checked. */
async function queryOf({ seq, token, ...named }: ShowOptions, terminal: Terminal): Promise<FindRevocationsParams> {
  if (seq !== undefined) return { seq: Number(seq) }
  return token === undefined ? named : { token: await readToken(terminal) }
}

/** The lines of one revocation: what it revokes, who made it, and where it binds. */
export function revocationLines(shown: ShownRevocation): readonly string[] {
  const { seq, kind, org, atMs, actor, reason, coverage } = shown
  const why = reason === '' ? '' : `: ${reason}`
  return [
    `${seq} ${kind} of ${org} ${namedText(shown)}`.trimEnd(),
    `  by ${actor} at ${timeText(atMs)}${why}`,
    coverage.covered ? '  it binds everywhere' : '  it does not bind everywhere yet',
    ...coverageTexts(coverage.replicas),
  ]
}

function summary(revocations: readonly ShownRevocation[], more: boolean): string {
  if (revocations.length === 0) return 'there is no such revocation'
  return more ? 'there are more: `revocations list` shows all' : `${revocations.length} in all`
}
