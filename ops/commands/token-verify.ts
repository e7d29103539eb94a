/** `token verify`: asks a replica to verify a token for an access. It is for trying things out; services use the worker SDK. */
import type { Command } from 'commander'
import type { ExplainResult, WorkerVerdict } from '../../replica/worker/sdk.ts'
import { parseAccess } from '../arguments/access.ts'
import { withDate } from '../arguments/expiry.ts'
import { addHelp } from '../arguments/help.ts'
import { mandatory, repeated } from '../arguments/options.ts'
import { readToken } from '../arguments/standard-input.ts'
import { explainAt, profileOf, replicasIn, verifyAt } from '../clients.ts'
import { exitStatusOfVerdict } from '../exit-status.ts'
import { explanationLines } from './token-explanation.ts'
import type { Terminal } from '../terminal.ts'

/** The options of `token verify`. */
interface VerifyCommandOptions {
  readonly org: string
  readonly region?: string
  readonly access?: readonly string[]
  readonly minPosition?: string
  readonly explain?: boolean
}

/** Adds `token verify`. */
export function addVerify(token: Command, terminal: Terminal): void {
  const command = token.command('verify').description('verify a token from stdin for an access, at a replica')
  mandatory(command, '--org <org>', 'the org of the access')
  command
    .option(
      '--region <region>',
      'ask a replica of this region (default: the first replica of the profile that answers)',
    )
    .option('--access <key=value>', 'a further key of the access; may be given more than once', repeated)
    .option('--min-position <position>', 'answer only from this position or a later one; a write prints its position')
    .option(
      '--explain',
      'print every check, caveat and discharge; this shows the contents of the token, so keep it confidential',
    )
    .action(async (options: VerifyCommandOptions, own: Command) => {
      const { org, region, access: pairs = [], minPosition } = options
      const access = parseAccess(org, pairs)
      const profile = profileOf(own, terminal.env)
      const replicas = replicasIn(profile, region)
      const call = {
        token: await readToken(terminal),
        access,
        options: minPosition === undefined ? {} : { minPosition },
      }
      if (options.explain === true) return answerExplanation(terminal, await explainAt(profile, replicas, call))
      const verdict = await verifyAt(profile, replicas, call)
      terminal.status = exitStatusOfVerdict(verdict)
      terminal.answer(verdict, [verdictText(verdict), ...identityHint(verdict), ...originText(verdict)])
    })
  addHelp(command, {
    examples: [
      'macaroond token verify --org acme --access op=read < token.txt',
      'macaroond token verify --org acme --access op=read --explain < token.txt',
      'macaroond token verify --org acme --region sin --access op=read --access path=/photos/1.jpg --json < token.txt',
    ],
    json: [
      'accepted: {"ok": true, "id", "org", "subject", "expiresAt"?, "notes", "caveatCount", …}',
      'refused:  {"ok": false, "reason", "message", "caveat"?, "wanted"?, …}',
      'cannot tell: as refused, with reason "unavailable": the token may be good',
      '  "cause" if nothing answers or a key of the profile is wrong: {"address", "channel", "code", "message", "hint"?, "option"}',
      'all name the source of the answer: "node" (PeerId), "region", "pid", "epoch", "txid", "revocationSeq"',
      'expiresAt is in unix seconds, and absent for a token that never expires',
      'with --explain: {"verdict", "checks": [{"check", "held", "refusal"?}], "token"?, "caveats": [{"caveat", "outcome", …}], "judgedBy", "judged", "work", "omitted"?}',
    ],
    exit: '0 accepted, 3 refused, 4 no replica could judge it (the token may be valid or not)',
  })
}

function answerExplanation(terminal: Terminal, explained: ExplainResult): void {
  const { verdict, unavailable, judged } = explained
  terminal.status = exitStatusOfVerdict(unavailable ?? verdict)
  terminal.answer(explained, [
    ...explanationLines(explained),
    verdictText(unavailable ?? verdict),
    ...originText({ ...verdict, ...judged }),
  ])
}

function verdictText(verdict: WorkerVerdict): string {
  if (verdict.ok) return `accepted: ${verdict.id} for ${verdict.subject} of ${verdict.org}`
  const caveat = verdict.caveat === undefined ? '' : `: ${withDate(verdict.caveat)}`
  // A token that nobody could judge is not refused: it may be good.
  if (verdict.reason === 'unavailable') return `cannot tell (unavailable): ${verdict.message}${caveat}`
  return `refused (${verdict.reason}): ${verdict.message}${caveat}`
}

/** The way out if the replicas refuse the identity of the profile: another profile, and no new token. */
function identityHint({ cause }: WorkerVerdict): readonly string[] {
  return cause?.code === 'peer_refused' && cause.hint !== undefined ? [`  ${cause.hint}`] : []
}

/** The node that judged, so that an operator can compare regions. A verdict without a node came from this process. */
function originText({ node, region, pid, epoch, txid }: WorkerVerdict): readonly string[] {
  if (node === undefined) return []
  return [`judged in ${region} by ${node} (pid ${pid}), epoch ${epoch}, txid ${txid}`]
}
