/** The writes of the benchmark: the same commands for the primary that ships and for the one that does not. */
import { randomBytes } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import type { GroupWriter } from '../../primary/commit-log/group-writer.ts'
import type { Command } from '../../primary/authority/commands.ts'
import type { Kid, Nonce } from '../../shared/ids.ts'
import { nowNs } from './process.ts'

export type LoadKind = 'revoke' | 'mint'

export interface FillParams {
  readonly kind: LoadKind
  readonly commands: number
}

export interface PaceParams extends FillParams {
  readonly perSecond: number
}

/** Twice what fits into a group: while one group is written, the next fills up. */
const SUBMITTERS = 200
export const ORG = 'acme'
/** Of the caller that takes all it may. */
export const GREEDY_ORG = 'greedy'
const ACTOR = { text: 'bench' }
const CAVEATS = ['op in read,write', 'path prefix /projects/42', 'region = fra']

export function makeCommand(kind: LoadKind, kid: Kid): Command {
  if (kind === 'mint')
    return { kind: 'token.mint', actor: ACTOR, org: ORG, subject: 'alice', caveats: CAVEATS, ttlSeconds: 86_400 }
  const nonce = randomBytes(16).toString('hex') as Nonce
  const expiresAt = Math.floor(Date.now() / 1000) + 86_400
  return { kind: 'token.revoke', actor: ACTOR, kid, nonce, expiresAt, recorded: true, reason: 'left the team' }
}

/** Runs so many commands with enough company to fill every group; resolves when the last one was answered. */
export async function fill(
  writer: GroupWriter,
  { kind, commands }: FillParams,
): Promise<{ startNs: number; endNs: number }> {
  const kid = kidOf(writer)
  const made = Array.from({ length: commands }, () => makeCommand(kind, kid))
  const startNs = nowNs()
  await Promise.all(Array.from({ length: SUBMITTERS }, () => submitAll(writer, made)))
  return { startNs, endNs: nowNs() }
}

async function submitAll(writer: GroupWriter, commands: Command[]): Promise<void> {
  for (let next = commands.pop(); next !== undefined; next = commands.pop()) await writer.submit(next)
}

/** How much longer than planned an evenly paced load may take before it ends with fewer commands. */
const PATIENCE = 1.5

/** One transaction a command, at an even pace; a late one is made up for at once. */
export async function pace(writer: GroupWriter, params: PaceParams): Promise<void> {
  const kid = kidOf(writer)
  const startNs = nowNs()
  const endNs = startNs + (params.commands / params.perSecond) * PATIENCE * 1e9
  for (let index = 0; index < params.commands && nowNs() < endNs; index += 1) {
    const waitMs = (startNs + (index * 1e9) / params.perSecond - nowNs()) / 1e6
    if (waitMs > 0) await setTimeout(waitMs)
    await writer.submit(makeCommand(params.kind, kid))
  }
}

function kidOf(writer: GroupWriter): Kid {
  const [kid] = writer.state.keys.keys()
  if (kid === undefined) throw new Error('there is no org yet')
  return kid
}
