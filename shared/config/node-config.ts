/** Schemas of the parts of a configuration that primary and replica have in common. */
import { z } from 'zod'
import { orgName } from '../id-schemas.ts'
import { KEKS_MAX } from '../limits.ts'
import { pathText } from './read-config.ts'

/** The cluster's name. It is part of every handshake and in the database, so a node never talks to another cluster. */
export const clusterName: z.ZodString = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'a cluster name has 1-63 of a-z, 0-9 and -, and starts with a letter or digit')
  .describe('The cluster’s name: a-z, 0-9 and -. A peer or a database of another cluster is refused.')

/** Port 0 lets the system choose. The bound address is logged, and written to the file `address` beside the data. */
export const listenAddress: z.ZodString = z
  .string()
  .regex(/^(\[[0-9a-fA-F:.]+\]|[^:\s]+):\d{1,5}$/, 'an address is host:port, IPv6 in brackets')

export const peerIdText: z.ZodString = z
  .string()
  .regex(
    /^12D3Koo[1-9A-HJ-NP-Za-km-z]{45}$/,
    'a PeerId is 12D3Koo… with 52 characters, as `macaroond keygen` prints it',
  )

export const authorityKeyText: z.ZodString = z
  .string()
  .regex(/^[0-9a-f]{64}$/, 'an authority’s key is 64 hex digits, as `macaroond archive key` prints it')

/** A region, as replicas have it and tokens can name it. */
export const regionName: z.ZodString = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,31}$/, 'a region name has 1-32 of a-z, 0-9 and -')

/** A name that is also the name of a folder. */
export const nodeName: z.ZodString = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,31}$/, 'a name has 1-32 of a-z, 0-9 and -, and starts with a letter or digit')

/** Exactly one of three sources. The file's content, the variable's value or the command's output is 64 hex digits. */
export type KekSource = { readonly file: string } | { readonly env: string } | { readonly command: readonly string[] }

const file = { file: pathText.describe('A file with the key, readable by its owner only.') }
const variable = {
  env: z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of an environment variable')
    .describe('An environment variable with the key.'),
}
const command = {
  command: z
    .array(z.string().max(4096))
    .min(1)
    .max(64)
    .describe('A program and its arguments, which prints the key within 10 s. It has no terminal and no input.'),
}

export const kekSource: z.ZodType<KekSource> = z.union([
  z.strictObject(file),
  z.strictObject(variable),
  z.strictObject(command),
])

/** The KEK that seals, and the previous KEKs, which open secrets that were not resealed yet. */
export type KekSettings = KekSource & { readonly previous?: readonly KekSource[] | undefined }

const previous = z
  .array(kekSource)
  .max(KEKS_MAX - 1)
  .optional()
  .describe('Earlier keys, which open what was not sealed again yet. Each has one of the same sources.')

export const kekSettings: z.ZodType<KekSettings> = z.union([
  z.strictObject({ ...file, previous }),
  z.strictObject({ ...variable, previous }),
  z.strictObject({ ...command, previous }),
])

export interface LogSettings {
  readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'
}

export const logSettings: z.ZodType<LogSettings> = z
  .strictObject({
    level: z
      .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
      .default('info')
      .describe('The least severe lines that the node writes to standard error, as JSON.'),
  })
  .prefault({})

export interface MetricsSettings {
  readonly listen?: string | undefined
}

export const metricsSettings: z.ZodType<MetricsSettings> = z
  .strictObject({
    listen: listenAddress
      .optional()
      .describe('Address that answers `GET /metrics` over HTTP to everybody who can reach it. Without it: no metrics.'),
  })
  .prefault({})

/** Of primary and replica. */
export const checkpoint: z.ZodType<{ readonly pages: number }> = z
  .strictObject({
    pages: z
      .number()
      .int()
      .min(100)
      .max(1_000_000)
      .default(2_000)
      .describe('SQLite copies its WAL into the database once it has this many pages.'),
  })
  .prefault({})

/** A peer that may connect, and its rights. A signer's entry names the orgs that it acts for, `*` for all. */
export interface PeerEntry {
  readonly id: string
  readonly name: string
  readonly role: 'replica' | 'worker' | 'signer' | 'operator'
  readonly region?: string | undefined
  readonly orgs?: readonly string[] | undefined
}

export const peerEntry: z.ZodType<PeerEntry> = z.strictObject({
  id: peerIdText.describe('The PeerId, as `macaroond keygen` prints it. Each may be listed once.'),
  name: z.string().min(1).max(64).describe('A name for `status`, the audit and the log.'),
  role: z
    .enum(['replica', 'worker', 'signer', 'operator'])
    .describe('`replica` and `signer` dial the primary, `worker` a replica, `operator` both.'),
  region: regionName.optional().describe('Of a replica: its region.'),
  orgs: z
    .array(z.union([z.literal('*'), orgName]))
    .max(1024)
    .optional()
    .describe('Of a signer, which must have it: the orgs that it acts for, or `["*"]` for all.'),
})

/** Schema of the list of peers: each id once, and orgs exactly for signers. */
export const peerList: z.ZodType<readonly PeerEntry[]> = z
  .array(peerEntry)
  .max(4096)
  .default([])
  .superRefine((peers, context) => {
    for (const [index, peer] of peers.entries()) {
      const complain = (key: string, message: string): void =>
        context.addIssue({ code: 'custom', path: [index, key], message })
      if (peers.findIndex((other) => other.id === peer.id) < index) complain('id', `${peer.id} is listed twice`)
      if (peer.role === 'signer' && peer.orgs === undefined)
        complain('orgs', 'a signer names the orgs it acts for, or ["*"]')
      if (peer.role !== 'signer' && peer.orgs !== undefined)
        complain('orgs', `only a signer has orgs, not a ${peer.role}`)
    }
  })
