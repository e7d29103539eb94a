/**
 * `macaroond status`: asks the primary and every replica of the profile for their status, and prints alarms, positions, lags
 * and leases. A node that does not answer is a row of its own and no error of the command.
 */
import type { Command } from 'commander'
import { systemClock } from '../../shared/clock.ts'
import type { Profile, ProfileNode } from '../../shared/config/profile.ts'
import { type ErrorReport, reportOf } from '../../shared/errors.ts'
import type { ArchiveStatus, LinkState, NodeStatus } from '../../shared/protocol/status.ts'
import { addHelp } from '../arguments/help.ts'
import { askStatus, profileOf } from '../clients.ts'
import { EXIT_UNAVAILABLE } from '../exit-status.ts'
import { alarmLines, type NodeReport } from './status-alarms.ts'
import { table, type Terminal } from '../terminal.ts'

/** Adds `macaroond status`. It fails only if no node answers: a single silent node is a row that says so. */
export function addStatus(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('status')
    .description('show the state of the primary and of every replica of the profile, alarms first')
    .action(async (_: object, own: Command) => {
      const profile = profileOf(own, terminal.env)
      const nodes = await askAll(profile)
      if (!nodes.some(({ reachable }) => reachable)) terminal.status = EXIT_UNAVAILABLE
      const lines = [...alarmLines(nodes.flatMap(nodeReportOf)), ...table([HEADER, ...nodes.map(rowOf)])]
      terminal.answer({ cluster: profile.cluster, nodes }, lines)
    })
  addHelp(command, {
    examples: ['macaroond status', 'macaroond status --json'],
    json: [
      '{"cluster", "nodes": [{"role", "region", "address", "peerId", "reachable": true, "status": {…}}]}',
      'a node that did not answer has "reachable": false and "error": {"code", "message"} in place of "status"',
      'status of the primary: position, timeline, writes, revocationSeq, orgs, freshness (boundMs, leaseMs, settled, clockDoubt), durability (revocations, degraded, degradedSinceMs, degradedAnswers), log, walFrames, authorityKey, replicas (each with its lag)',
      '  and archive: {"location", "position", "lag", "lagMs", "files", "bytes", "jobs", "lastDrill", "alerts", "copies"} | null',
      'status of a replica: position, timeline, revocationSeq, revocations, keys, freshness (boundMs, leaseMs, ageMs, clockDoubt), wal, stream, alarm, walBytes',
      'both: alarms, each {"code", "severity": "critical" | "warning", "about", "message", "action", "sinceMs"}, the critical ones first; a node of 0.1.0 has no such list',
    ],
    exit: '4 when no node answers',
  })
}

/** A node of the profile that is asked. */
interface QueriedNode {
  readonly role: 'primary' | 'replica'
  readonly region: string | null
  readonly address: string
  readonly peerId: string
}

type NodeAnswer = QueriedNode &
  (
    | { readonly reachable: true; readonly status: NodeStatus }
    | { readonly reachable: false; readonly error: ErrorReport }
  )

/** Asks all nodes at once, so that several silent nodes cost one timeout. */
async function askAll(profile: Profile): Promise<readonly NodeAnswer[]> {
  const ask = async (role: QueriedNode['role'], region: string | null, node: ProfileNode): Promise<NodeAnswer> => {
    const asked: QueriedNode = { role, region, address: node.address, peerId: node.peer_id }
    try {
      return { ...asked, reachable: true, status: await askStatus(profile, node) }
    } catch (error) {
      return { ...asked, reachable: false, error: reportOf(error) }
    }
  }
  const replicas = profile.replicas.map((replica) => ask('replica', replica.region, replica))
  return Promise.all([ask('primary', null, profile.primary), ...replicas])
}

const HEADER: readonly string[] = ['ROLE', 'REGION', 'ADDRESS', 'PID', 'POSITION', 'REVOCATIONS', 'STATE']

function rowOf(answer: NodeAnswer): readonly string[] {
  const who = [answer.role, answer.region ?? '-', answer.address]
  if (!answer.reachable) return [...who, '-', '-', '-', `not reached: ${answer.error.message} (${answer.error.code})`]
  const { status } = answer
  const what = [String(status.pid), status.position ?? 'none yet', String(status.revocationSeq)]
  return [...who, ...what, stateText(status)]
}

function nodeReportOf(answer: NodeAnswer): readonly NodeReport[] {
  if (!answer.reachable) return []
  const { role, region, status } = answer
  return [{ who: region === null ? role : `${role} ${region}`, status }]
}

/** The last column: for a primary its writes, bound and lags; for a replica its lease and its two links. */
function stateText(status: NodeStatus): string {
  if (status.role === 'primary') {
    const lags = status.replicas.map(({ name, wal, lag }) => `${name} ${wal ? `${lag ?? '?'} behind` : 'away'}`)
    const bound = `revocations bind within ${status.freshness.boundMs} ms`
    return [`writes ${status.writes}`, bound, ...lags, ...archiveText(status.archive)].join(', ')
  }
  const { leaseMs } = status.freshness
  const lease = leaseMs > 0 ? `lease ${leaseMs} ms` : 'NO LEASE: every verdict is unavailable'
  return [lease, `pages ${linkText(status.wal)}`, `revocations ${linkText(status.stream)}`].join(', ')
}

function archiveText(archive: ArchiveStatus | null): readonly string[] {
  if (archive === null) return ['no archive']
  const { lag, lastDrill } = archive
  const drill = lastDrill === null ? [] : [lastDrill.ok ? `drilled ${agoText(lastDrill.atMs)} ago` : 'DRILL FAILED']
  return [`archive ${lag} behind`, ...drill]
}

/** An age in the largest unit of which it has at least two. */
function agoText(atMs: number): string {
  const seconds = Math.max(0, Math.round((systemClock.wallMs() - atMs) / 1_000))
  return seconds < 120
    ? `${seconds} s`
    : seconds < 7_200
      ? `${Math.round(seconds / 60)} min`
      : `${Math.round(seconds / 3_600)} h`
}

function linkText({ phase, error }: LinkState): string {
  return error === null ? phase : `${phase} (${error})`
}
