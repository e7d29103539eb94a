/**
 * `revocations pending`, `adopt` and `forget`. After a restore, replicas still enforce revocations of the undone history
 * (denials). The primary adopts most by itself; these commands let an operator decide about the rest.
 */
import type { Command } from 'commander'
import type { AdoptResult, ForgetResult, PendingResult, PendingRevocation, Signer } from '../../primary/signer/sdk.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { TIMELINE_FORM } from '../../shared/ids.ts'
import { DENIALS_CALL_MAX } from '../../shared/limits.ts'
import { addHelp } from '../arguments/help.ts'
import { profileOf, withSigner } from '../clients.ts'
import { table, type Terminal } from '../terminal.ts'
import { namedText } from './revocations-show.ts'

/** The options that select revocations, as texts. */
interface Selecting {
  readonly all?: true
  readonly timeline?: string
  readonly seq?: string
}

/** The checked selection. Without a timeline: everything that waits. Without numbers: the whole timeline. */
interface Selection {
  readonly timeline?: string
  readonly first?: number
  readonly last?: number
}

/** Adds `revocations pending`. */
export function addPending(revocations: Command, terminal: Terminal): void {
  const command = revocations
    .command('pending')
    .description(
      'list revocations of an undone history that replicas still enforce and the primary does not adopt by itself',
    )
    .action(async (_: object, own: Command) => {
      const profile = profileOf(own, terminal.env)
      const pending = await withSigner(profile, (signer) => signer.pendingRevocations({ limit: DENIALS_CALL_MAX }))
      terminal.answer(pending, linesOf(pending.revocations))
      if (!terminal.json) terminal.say(summary(pending))
    })
  addHelp(command, {
    examples: ['macaroond revocations pending', 'macaroond revocations pending --json'],
    json: [
      '{"revocations": [{"timeline", "epoch", "seq", "why", "replicas", "kind"?, "org"?, "id"?, "subject"?, "issuedUpToMs"?, "kid"?, "atMs"?, "actor"?, "reason"?}], "waiting"}',
      'timeline and seq name it for adopt and forget; "why" is the reason why it waits: "restored without revocations", "kind", "later than the issue clock", "too many", "unknown kind", "unsigned"',
      'waiting: how many wait in all; replicas that are not connected may have more. The list has the first 500',
    ],
  })
}

/** Adds `revocations adopt`. It needs no `--yes`, because it only denies. */
export function addAdopt(revocations: Command, terminal: Terminal): void {
  const command = selecting(revocations.command('adopt'))
    .description('adopt revocations that wait: the primary writes them, and every replica enforces them')
    .action(async (options: Selecting, own: Command) => {
      const selection = selectionOf(options)
      const adopted = await withSigner(profileOf(own, terminal.env), (signer) => adoptAll(signer, selection))
      terminal.answer(adopted, [`adopted ${adopted.adopted}; ${adopted.waiting} still wait`])
    })
  addHelp(command, {
    examples: [
      'macaroond revocations adopt --all',
      'macaroond revocations adopt --timeline 0b51b5d2f08c4f1fa2e5a1b2c3d4e5f6 --seq 17-19',
    ],
    json: [
      '{"adopted", "waiting", "seq"?, "durability"?, "degraded"?, "position"?}; the rest is absent when nothing waited',
    ],
    exit: '2 when nothing of that history waits',
  })
}

/** Adds `revocations forget`, the only command after which a revoked token may be accepted again (S3). */
export function addForget(revocations: Command, terminal: Terminal): void {
  const command = selecting(revocations.command('forget'))
    .description(
      'DANGEROUS: give up revocations that wait; replicas accept those tokens again unless something else revokes them',
    )
    .option('--reason <text>', 'the reason, for the audit', '')
    .option('--yes', 'go on although revoked tokens may be accepted again')
    .action(async ({ reason, yes, ...options }: Selecting & { reason: string; yes?: true }, own: Command) => {
      const selection = selectionOf(options)
      requireYes(yes)
      const request = { ...selection, reason }
      const forgotten = await withSigner(profileOf(own, terminal.env), (signer) => forgetAll(signer, request))
      terminal.answer(forgotten, [`gave up ${forgotten.forgotten}; ${forgotten.waiting} still wait`])
    })
  addHelp(command, {
    examples: [
      'macaroond revocations forget --timeline 0b51b5d2f08c4f1fa2e5a1b2c3d4e5f6 --seq 17 --reason "restored on purpose" --yes',
      'macaroond revocations forget --all --reason "restored on purpose" --yes',
    ],
    json: ['{"forgotten", "waiting", "position"?}'],
    exit: '2 without --yes, or when nothing of that history waits',
  })
}

function selecting(command: Command): Command {
  return command
    .option('--all', 'everything that waits')
    .option('--timeline <id>', 'only the revocations of this timeline, as `revocations pending` lists it')
    .option('--seq <numbers>', 'with --timeline: one number in it, or a range such as 17-19')
}

/** Throws usage. */
function selectionOf({ all, timeline, seq }: Selecting): Selection {
  if ((all === undefined) === (timeline === undefined)) {
    throw new MacaroondError('usage', 'name the revocations: --all, or --timeline with or without --seq', {
      hint: '`macaroond revocations pending` lists what waits',
    })
  }
  if (timeline === undefined) {
    if (seq === undefined) return {}
    throw new MacaroondError('usage', '--seq goes with --timeline')
  }
  if (!TIMELINE_FORM.test(timeline)) throw new MacaroondError('usage', 'a timeline is 32 lowercase hex digits')
  if (seq === undefined) return { timeline }
  const [, first, last] = /^([1-9]\d{0,14})(?:-([1-9]\d{0,14}))?$/.exec(seq) ?? []
  const range = { first: Number(first), last: Number(last ?? first) }
  if (first !== undefined && range.first <= range.last) return { timeline, ...range }
  throw new MacaroondError('usage', `--seq is a number or a range such as 17-19, not ${seq.slice(0, 80)}`)
}

/** Throws usage. */
function requireYes(yes: true | undefined): void {
  if (yes === true) return
  throw new MacaroondError('usage', 'tokens that were revoked may be accepted again', {
    hint: 'look at `macaroond revocations pending`; if you are sure, give --yes',
  })
}

/** Calls until nothing waits, because one call adopts a limited number. With `--all` it is no error if nothing waits. */
async function adoptAll(signer: Signer, selection: Selection): Promise<Pick<AdoptResult, 'adopted' | 'waiting'>> {
  const call = (): Promise<AdoptResult> => signer.adoptRevocations(selection)
  const first = selection.timeline === undefined ? await call().catch(nothingLeft) : await call()
  let all: Pick<AdoptResult, 'adopted' | 'waiting'> = first ?? { adopted: 0, waiting: 0 }
  for (let last = first; last !== undefined && last.adopted > 0 && last.waiting > 0;) {
    last = await call().catch(nothingLeft)
    if (last !== undefined) all = { ...last, adopted: all.adopted + last.adopted }
  }
  return all
}

/** Like `adoptAll`: calls until nothing waits. */
async function forgetAll(
  signer: Signer,
  request: Selection & { readonly reason: string },
): Promise<Pick<ForgetResult, 'forgotten' | 'waiting'>> {
  const call = (): Promise<ForgetResult> => signer.forgetRevocations(request)
  const first = request.timeline === undefined ? await call().catch(nothingLeft) : await call()
  let all: Pick<ForgetResult, 'forgotten' | 'waiting'> = first ?? { forgotten: 0, waiting: 0 }
  // Named numbers are all given up by one call.
  let last = request.first === undefined ? first : undefined
  while (last !== undefined && last.forgotten > 0 && last.waiting > 0) {
    last = await call().catch(nothingLeft)
    if (last !== undefined) all = { ...last, forgotten: all.forgotten + last.forgotten }
  }
  return all
}

/** Undefined if the error says that nothing waits: the previous call took the last. Throws any other error. */
function nothingLeft(error: unknown): undefined {
  if (error instanceof MacaroondError && error.code === 'request_invalid') return undefined
  throw error
}

function linesOf(revocations: readonly PendingRevocation[]): string[] {
  if (revocations.length === 0) return []
  const rows = revocations.map((one) => {
    const { timeline, seq, kind = '?', org = '', why, replicas, reason = '' } = one
    return [timeline, String(seq), kind, org, namedText(one), why, replicas.join(' '), reason]
  })
  return table([['TIMELINE', 'SEQ', 'KIND', 'ORG', 'WHAT', 'WHY', 'REPLICAS', 'REASON'], ...rows])
}

/** The number that waits, and the commands that decide about them. */
function summary({ revocations, waiting }: PendingResult): string {
  if (waiting === 0) return 'nothing waits for a decision'
  if (waiting > revocations.length) return `${waiting} wait; these are the first of them`
  return `${waiting} wait: \`revocations adopt\` revokes them, \`revocations forget\` gives them up`
}
