import type { Command } from 'commander'
import type { RevokeRequest } from '../../primary/client/sdk.ts'
import { suggest } from '../../shared/config/suggest.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { parseTokenId } from '../../shared/ids.ts'
import type { CoveredReplica, CoverageResult } from '../../shared/protocol/coverage.ts'
import type { RevokeResult, RevokeWait } from '../../shared/protocol/sign.ts'
import { explain } from '../arguments/explain.ts'
import { readToken } from '../arguments/standard-input.ts'
import { profileOf, withSigner } from '../clients.ts'
import { printable, type Terminal } from '../terminal.ts'

interface RevokeOptions {
  readonly token?: string
  readonly id?: string
  readonly wait: string
  readonly reason?: string
}

export function addRevoke(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('revoke')
    .description('revoke a token and everything made from it; repeating it is harmless')
    .option('--token <->', 'the token itself, from stdin: write `--token -`')
    .option('--id <id>', 'its id, <kid>.<nonce>')
    .option(
      '--wait <level>',
      'local: on the primary’s disk; durable: on the disk of a replica too; global: nobody accepts it any more',
      'durable',
    )
    .option('--reason <text>', 'for the audit')
    .action(async (options: RevokeOptions, own: Command) => {
      const wait = waitLevel(options.wait)
      checkName(options)
      const profile = profileOf(own, terminal.env)
      const onProgress = (soFar: CoverageResult): void => terminal.say(progressText(soFar))
      const request = { ...(await nameOf(options, terminal)), wait, reason: options.reason ?? '', onProgress }
      const revoked = await withSigner(profile, (signer) => signer.revoke(request))
      terminal.answer(revoked, resultText(revoked))
    })
  explain(command, {
    examples: [
      "macaroond revoke --token - --reason 'laptop lost' < token.txt",
      'macaroond revoke --id 3f0c….0199… --wait local',
      'macaroond revoke --id 3f0c….0199… --wait global',
    ],
    json: [
      '{"id", "org", "seq", "matched": "recorded" | "unrecorded", "durability": "replica" | "local", "position"}',
      'with --wait global also "replicas": [{"name", "region", "how": "acknowledged" | "lease expired" | "no lease", "atMs"}]',
      'seq is its number in the log of revocations; matched says whether the mint of the token is on record',
    ],
    exit: '4 with code position_unreached: on the primary’s disk, but no replica has confirmed it yet; ask again. --wait global ends when every replica, with the services behind it, has acknowledged it or has lost its lease: at the latest after the bound that `macaroond status` shows',
  })
}

function waitLevel(text: string): RevokeWait {
  if (text === 'local' || text === 'durable' || text === 'global') return text
  const near = suggest(text, ['local', 'durable', 'global'])
  throw new MacaroondError('usage', `--wait is local, durable or global, not ${text.slice(0, 80)}`, {
    hint: near === undefined ? 'durable is the default' : `did you mean ${near}?`,
  })
}

/** Exactly one of the two, and no token among the arguments. Throws usage, request_invalid. */
function checkName({ token, id }: RevokeOptions): void {
  if ((token === undefined) === (id === undefined)) {
    throw new MacaroondError('usage', 'revoke takes either a token or an id', {
      hint: 'give `--token -` with the token on stdin, or `--id ID`',
    })
  }
  if (id !== undefined) parseTokenId(id)
  if (token === undefined || token === '-') return
  throw new MacaroondError('usage', 'a token is not given as an argument, where other users of the machine see it', {
    hint: 'write `--token -` and pipe the token in; if it was a real one, consider it leaked and revoke it',
  })
}

async function nameOf({ id }: RevokeOptions, terminal: Terminal): Promise<RevokeRequest> {
  return id === undefined ? { token: await readToken(terminal) } : { id }
}

function progressText({ replicas, earlierLeasesUntilMs }: CoverageResult): string {
  const pending = replicas.filter(({ how }) => how === 'pending').map(({ name }) => printable(name))
  if (pending.length > 0) return `waiting for ${pending.join(', ')}: acknowledgement, or the end of a lease`
  const untilText = earlierLeasesUntilMs === null ? '' : ` until ${new Date(earlierLeasesUntilMs).toISOString()}`
  return `waiting for leases that the primary granted before its last start${untilText}`
}

function coverageText({ name, how, atMs }: CoveredReplica): string {
  return `  ${printable(name)}: ${how} at ${new Date(atMs).toISOString()}`
}

function resultText({ id, org, seq, matched, durability, replicas = [] }: RevokeResult): readonly string[] {
  const where = durability === 'replica' ? 'on a replica’s disk too' : 'on the primary’s disk'
  const note = matched === 'recorded' ? '' : '; its mint is not on record'
  return [`revoked ${id} of ${org}: revocation ${seq}, ${where}${note}`, ...replicas.map(coverageText)]
}
