/**
 * Judges what `doctor` measured: the disk, the descriptors, the clocks, and the answers of other nodes. Pure: the facts are
 * parameters, and the result is a list of findings.
 */
import { roleInRefusal } from '../../shared/channel/peers.ts'
import type { Role } from '../../shared/channel/roles.ts'
import { type Finding, findingOfError } from '../../shared/config/finding.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { DISK_ROOM_BYTES_MIN } from '../../shared/limits.ts'
import { asList } from '../status/text.ts'

export interface RoomFacts {
  readonly data: string
  readonly freeBytes: number
  /** Free inodes, and all of them; a file system without a fixed number has 0 in all. */
  readonly freeInodes: number
  readonly inodes: number
  readonly databaseBytes: number
  /** Size of the primary's reserve for revocations; 0 for a replica. */
  readonly reserveBytes: number
}

const INODES_MIN = 1_000

/** A snapshot and a restore drill each need about as much as the database. */
export function judgeRoom({ data, freeBytes, freeInodes, inodes, ...sizes }: RoomFacts): readonly Finding[] {
  const action = `free space on the volume of ${data} (\`df -h\`, \`df -i\`), or give it a larger one`
  const reason = `the volume of ${data} has ${megabytes(freeBytes)} free`
  const least = Math.max(sizes.reserveBytes, DISK_ROOM_BYTES_MIN)
  if (freeBytes < least) {
    const full = `${reason}, less than ${megabytes(least)}, below which it counts as full`
    return [{ severity: 'error', code: 'disk_full', reason: full, action }]
  }
  const wanted = 2 * sizes.databaseBytes + 2 * least
  const low = freeBytes < wanted ? `${reason}; a snapshot and a drill need up to ${megabytes(wanted)}` : undefined
  const few = inodes > 0 && freeInodes < INODES_MIN ? `the volume of ${data} has ${freeInodes} free inodes` : undefined
  return [low, few].flatMap((what): Finding[] =>
    what === undefined ? [] : [{ severity: 'warning', code: 'disk_room_low', reason: what, action }],
  )
}

function megabytes(bytes: number): string {
  return `${Math.floor(bytes / 1_000_000)} MB`
}

/** Files of its own, and a connection for each purpose of a peer. */
const DESCRIPTORS_OWN = 256
const DESCRIPTORS_A_PEER = 4
const DESCRIPTORS_MIN = 1_024

/** `limit` is the hard limit: Node raises its own limit to it. */
export function judgeDescriptors(limit: number | undefined, peers: number): readonly Finding[] {
  const wanted = Math.max(DESCRIPTORS_MIN, DESCRIPTORS_OWN + DESCRIPTORS_A_PEER * peers)
  if (limit === undefined || limit >= wanted) return []
  const reason = `a process of this user may open ${limit} files, and ${peers} peers need up to ${wanted}`
  const action = `raise the limit: \`LimitNOFILE=${2 * wanted}\` in the unit, or \`ulimit -Hn\` of the shell`
  return [{ severity: 'warning', code: 'descriptors_low', reason, action }]
}

/** The clock of a node as this machine saw it: the answer came between the two local times. */
export interface ClockSample {
  /** `the primary at 10.0.0.1:7400` */
  readonly who: string
  readonly askedMs: number
  readonly answeredMs: number
  readonly wallMs: number
}

/** Synchronised clocks differ by less. */
const CLOCK_DIFFERENCE_MS_MAX = 2_000

export function judgeClock({ who, askedMs, answeredMs, wallMs }: ClockSample): readonly Finding[] {
  const uncertain = (answeredMs - askedMs) / 2
  const ahead = wallMs - (askedMs + uncertain)
  if (Math.abs(ahead) - uncertain <= CLOCK_DIFFERENCE_MS_MAX) return []
  const seconds = (Math.abs(ahead) / 1_000).toFixed(1)
  const reason = `the clock of ${who} is ${seconds} s ${ahead > 0 ? 'ahead of' : 'behind'} that of this machine`
  const action = 'compare both with `timedatectl`, and set the wrong one right (NTP)'
  return [{ severity: 'warning', code: 'clock_differs', reason, action }]
}

/** The node's answer to a dial of `admin`: this caller is an operator, or another role by its refusal, or an error. */
export interface PeerAnswer {
  readonly who: string
  readonly kind: 'primary' | 'replica'
  /** Undefined if the node took this caller for an operator. */
  readonly error: MacaroondError | undefined
}

/** The role that the node gives this caller; undefined if it does not know it, or was not reached. */
export function roleOf({ error }: PeerAnswer): Role | undefined {
  if (error === undefined) return 'operator'
  return error.code === 'peer_refused' ? roleInRefusal(error.message) : undefined
}

/** A replica's primary must know it as a replica. */
export function judgePrimaryOf(answer: PeerAnswer): readonly Finding[] {
  const role = roleOf(answer)
  if (role === 'replica') return []
  return role === undefined ? [faultOf(answer)] : [otherRole(answer, role, 'replica')]
}

/** The nodes that must know a role: a worker asks replicas only, a signer the primary only. */
const KNOWN_BY: Readonly<Record<Role, readonly PeerAnswer['kind'][]>> = {
  operator: ['primary', 'replica'],
  replica: ['primary'],
  signer: ['primary'],
  worker: ['replica'],
}

/** Every node of a profile must be reached, and those that its role works with must give it that one role. */
export function judgeProfile(answers: readonly PeerAnswer[]): readonly Finding[] {
  const roles = [...new Set(answers.flatMap((answer) => roleOf(answer) ?? []))]
  const [role, ...others] = roles
  if (role === undefined) return answers.map(faultOf)
  if (others.length > 0) {
    const names = roles.map(
      (one) => `${one} (${asList(answers.filter((answer) => roleOf(answer) === one).map(({ who }) => who))})`,
    )
    const action = 'give this identity one role in the `[[peers]]` of all nodes, and reload them'
    return [
      {
        severity: 'error',
        code: 'peer_refused',
        reason: `the nodes give this identity several roles: ${names.join(', ')}`,
        action,
      },
    ]
  }
  return answers
    .filter((answer) => roleOf(answer) === undefined)
    .filter(({ kind, error }) => error?.code !== 'peer_refused' || KNOWN_BY[role].includes(kind))
    .map(faultOf)
}

function faultOf({ who, error }: PeerAnswer): Finding {
  const { code, message, hint } = error ?? new MacaroondError('internal', 'no answer')
  return findingOfError(new MacaroondError(code, `${who}: ${message}`, hint === undefined ? {} : { hint }))
}

function otherRole({ who }: PeerAnswer, role: Role, wanted: Role): Finding {
  const reason = `${who} lists this identity as ${role}, not as ${wanted}`
  const action = `set \`role = "${wanted}"\` for it in the \`[[peers]]\` of that node, and reload it (\`macaroond reload\`, or SIGHUP)`
  return { severity: 'error', code: 'peer_refused', reason, action }
}
