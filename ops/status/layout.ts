/**
 * The nodes as `macaroond status` prints them: one block a node, or one row a node with `--wide`. Pure. Nodes have the names
 * of the configurations: a PeerId tells an operator nothing.
 */
import type {
  ArchiveStatus,
  LinkState,
  NodeStatus,
  PrimaryStatus,
  ReplicaStatus,
} from '../../shared/protocol/status.ts'
import { parsePosition } from '../../shared/position.ts'
import { alarmLines } from './alarms.ts'
import { countText } from '../progress.ts'
import { table } from '../terminal.ts'
import type { ClusterAnswers, NodeAnswer } from './ask.ts'
import { ageText } from './text.ts'

/** The names of nodes, by PeerId. */
type Names = ReadonlyMap<string, string>

/** Two lines for each alarm, the nodes in their order. */
export function alarmsText(answers: ClusterAnswers): readonly string[] {
  const reports = nodesOf(answers).flatMap((node) =>
    node.reachable
      ? [{ who: node.region === null ? node.role : `${node.role} ${node.region}`, status: node.status }]
      : [],
  )
  return withNames(alarmLines(reports), namesOf(answers))
}

/** A block for each node: its name and address, then one fact a line. */
export function blocks(answers: ClusterAnswers, nowMs: number): readonly string[] {
  const names = namesOf(answers)
  const lines = nodesOf(answers).flatMap((node) => [
    '',
    titleOf(node, names),
    ...factsOf(node, answers, nowMs).map((fact) => `  ${fact}`),
  ])
  return withNames(lines, names)
}

/** A row for each node, wider than most terminals. */
export function wideTable(answers: ClusterAnswers, nowMs: number): readonly string[] {
  const rows = nodesOf(answers).map((node) => rowOf(node, answers, nowMs))
  return ['', ...withNames(table([HEADER, ...rows]), namesOf(answers))]
}

function nodesOf({ primary, replicas }: ClusterAnswers): readonly NodeAnswer[] {
  return [primary, ...replicas]
}

/** The primary knows the names of its replicas; without it, a replica has the name of its region. */
function namesOf({ primary, replicas }: ClusterAnswers): Names {
  const links = primary.reachable ? primary.status.replicas : []
  return new Map([
    [primary.peerId, 'the primary'],
    ...replicas.map(({ peerId, region }) => [peerId, region ?? ''] as const),
    ...links.map(({ peerId, name }) => [peerId, name] as const),
  ])
}

function withNames(lines: readonly string[], names: Names): readonly string[] {
  return lines.map((line) =>
    line.replaceAll(/12D3Koo[1-9A-HJ-NP-Za-km-z]{45}/g, (peerId) => names.get(peerId) ?? peerId),
  )
}

function titleOf({ role, region, address, peerId }: NodeAnswer, names: Names): string {
  if (region === null) return `${role} at ${address}`
  const name = names.get(peerId)
  return `${role} ${region}${name === undefined || name === region ? '' : ` (${name})`} at ${address}`
}

function factsOf(node: NodeAnswer, { primary }: ClusterAnswers, nowMs: number): readonly string[] {
  if (!node.reachable) return [`NOT REACHED: ${node.error.message} (${node.error.code})`]
  const { status } = node
  const process = `version ${status.version}, pid ${status.pid}, up ${ageText(status.uptimeSeconds * 1_000)}`
  const state = `position ${status.position ?? 'none yet'}, revocation ${status.revocationSeq}`
  return [...(status.role === 'primary' ? primaryFacts(status, nowMs) : replicaFacts(status, primary)), state, process]
}

function primaryFacts({ writes, freshness, replicas, archive }: PrimaryStatus, nowMs: number): readonly string[] {
  const lags = replicas.map(({ name, wal, lag }) => `${name} ${wal ? `${lag ?? '?'} behind` : 'away'}`)
  return [
    `writes ${writes}, revocations bind within ${freshness.boundMs} ms`,
    ...(lags.length === 0 ? [] : [`replicas: ${lags.join(', ')}`]),
    archiveText(archive, nowMs),
  ]
}

function replicaFacts(replica: ReplicaStatus, primary: ClusterAnswers['primary']): readonly string[] {
  const { freshness, wal, stream } = replica
  const { leaseMs } = freshness
  const lease = leaseMs > 0 ? `lease ${leaseMs} ms` : 'NO LEASE: every verdict is unavailable'
  return [lease, `pages ${linkText(wal)}${catchUpText(replica, primary)}`, `revocations ${linkText(stream)}`]
}

/** How far a replica is: the snapshot that is arriving, or the transactions that the primary has and it has not. */
function catchUpText({ snapshot, position }: ReplicaStatus, primary: ClusterAnswers['primary']): string {
  if (snapshot !== undefined && snapshot !== null)
    return `, receiving a snapshot: ${countText(snapshot.received, snapshot.pages, 'pages')}`
  if (!primary.reachable || position === null) return ''
  const behind = parsePosition(primary.status.position).txid - parsePosition(position).txid
  return behind > 0 ? `, ${behind.toLocaleString('en')} transaction${behind === 1 ? '' : 's'} behind` : ''
}

const HEADER: readonly string[] = ['ROLE', 'REGION', 'ADDRESS', 'PID', 'POSITION', 'REVOCATIONS', 'STATE']

function rowOf(node: NodeAnswer, { primary }: ClusterAnswers, nowMs: number): readonly string[] {
  const who = [node.role, node.region ?? '-', node.address]
  if (!node.reachable) return [...who, '-', '-', '-', `not reached: ${node.error.message} (${node.error.code})`]
  const { status } = node
  const what = [String(status.pid), status.position ?? 'none yet', String(status.revocationSeq)]
  return [...who, ...what, stateText(status, primary, nowMs)]
}

function stateText(status: NodeStatus, primary: ClusterAnswers['primary'], nowMs: number): string {
  const facts = status.role === 'primary' ? primaryFacts(status, nowMs) : replicaFacts(status, primary)
  return facts.join(', ')
}

function archiveText(archive: ArchiveStatus | null, nowMs: number): string {
  if (archive === null) return 'no archive'
  const { lag, lastDrill } = archive
  const drill =
    lastDrill === null ? '' : lastDrill.ok ? `, drilled ${ageText(nowMs - lastDrill.atMs)} ago` : ', DRILL FAILED'
  return `archive ${lag} behind${drill}`
}

function linkText({ phase, error }: LinkState): string {
  return error === null ? phase : `${phase} (${error})`
}
