/** Findings of the checks: what is wrong, why that matters, and the command or the change that removes it. */
import { type ErrorCode, MacaroondError } from '../errors.ts'
import type { KekSettings, PeerEntry } from './node-config.ts'

/** Codes of warnings. A warning does not keep a node from starting. */
export type WarningCode =
  | 'alone_with_replicas'
  | 'archive_beside_data'
  | 'clock_differs'
  | 'data_readable'
  | 'descriptors_low'
  | 'disk_room_low'
  | 'files_of_others'
  | 'kek_beside_data'
  | 'keys_unopened'
  | 'not_archived'
  | 'other_user'

interface Found {
  readonly reason: string
  /** The command or the change that removes the cause. */
  readonly action: string
}

export type Finding = Found &
  (
    | { readonly severity: 'error'; readonly code: ErrorCode }
    | { readonly severity: 'warning'; readonly code: WarningCode }
  )

/** A configuration or a profile, as it was read. All paths are absolute, except those under `kek`. A faulty key is left out. */
export interface CheckedConfig {
  readonly cluster?: string
  readonly identity?: string
  readonly signing_key?: string | undefined
  readonly region?: string
  readonly data?: string
  readonly kek?: KekSettings
  readonly alone?: boolean
  readonly peers?: readonly PeerEntry[]
  readonly archive?: { readonly enabled: boolean; readonly to?: string | undefined; readonly copies: readonly string[] }
}

/** A configuration or profile to check. */
export interface CheckTarget {
  /** Path of the configuration. */
  readonly file: string
  readonly config: CheckedConfig
}

export function findingOfError({ code, message, hint }: MacaroondError): Finding {
  return { severity: 'error', code, reason: message, action: hint ?? 'look at the log of the node' }
}

/** Turns a MacaroondError into a finding. Any other error is a bug and is thrown. */
export async function errorAsFinding(work: () => unknown): Promise<readonly Finding[]> {
  try {
    await work()
    return []
  } catch (error) {
    if (!(error instanceof MacaroondError)) throw error
    return [findingOfError(error)]
  }
}

/** Removes duplicates: several files share the folders above them. */
export function unique(findings: readonly Finding[]): readonly Finding[] {
  return [...new Map(findings.map((finding) => [finding.reason, finding])).values()]
}

/** The consequence of a finding, for a person who decides when to act. */
export function whyOf({ code, severity }: Finding): string {
  return WHY[code] ?? (severity === 'error' ? 'the node does not start' : 'it can fail later')
}

const WHY: Readonly<Partial<Record<Finding['code'], string>>> = {
  alone_with_replicas: 'a primary on an old disk would write a second history, and the replicas would refuse it',
  archive_beside_data: 'one lost disk takes the database and its archive',
  archive_denied: 'nothing is archived',
  archive_missing: 'nothing is archived',
  archive_unavailable: 'nothing is archived',
  clock_differs: 'there, tokens expire early or late by that much, and a clock in doubt stops mints',
  connect_failed: 'a caller without that node gets no answer from it, and a replica without its primary has no lease',
  data_readable: 'they can read who holds which tokens',
  descriptors_low: 'the node refuses connections once its descriptors are used up',
  disk_full: 'the node takes no writes but revocations',
  disk_room_low: 'snapshots and restore drills need room; on a full disk only revocations are written',
  file_untrusted: 'another user could replace keys, run programs as this node, or become an operator',
  files_of_others: 'that group or user could replace keys and configurations',
  handshake_failed: 'the two do not talk to each other: their clusters or their keys differ',
  kek_beside_data: 'whoever copies the folder can open every root key',
  kek_wrong: 'no root key opens, so nothing can be minted or verified',
  key_permissions: 'whoever reads the key can act in its name',
  keys_unopened: 'every verdict on tokens of those keys is unavailable',
  not_archived: 'if the disks of the primary and of the replicas are lost, so are all keys and revocations',
  other_user: 'what this user may read and write says nothing about the node',
  peer_mismatch: 'the pin refuses that node: it may be another machine',
  peer_refused: 'this identity may not do its work there',
  platform_unsupported: 'two primaries could lead at once and overwrite each other',
  port_in_use: 'the node cannot listen, and does not start',
}
