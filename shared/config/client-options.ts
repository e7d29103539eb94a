/** Options that both SDKs take: the caller's identity and the addresses of the nodes. */
import { z } from 'zod'
import { identityFromSeed, loadIdentity, type Identity } from '../channel/identity.ts'
import type { ServiceLogger } from '../service-logger.ts'
import { clusterName, listenAddress, peerIdText } from './node-config.ts'

export interface NodeAddress {
  /** `host:port`, IPv6 in brackets. */
  readonly address: string
  /** The node's PeerId, `12D3Koo…`. Any other node is refused. */
  readonly peerId: string
}

export interface ClientOptions {
  readonly cluster: string
  /** Path of an identity file (mode 0600), or a 32-byte Ed25519 seed. */
  readonly identity: string | Uint8Array
  /** Longest duration of a call in milliseconds, including the wait for a connection. */
  readonly timeoutMs?: number | undefined
  /** Gets a line when a connection is refused, lost or back, with its address and the reason. Default: nothing is logged. */
  readonly logger?: ServiceLogger | undefined
}

export const nodeAddress: z.ZodType<NodeAddress> = z.strictObject({ address: listenAddress, peerId: peerIdText })

export const clientFields: { readonly [Key in keyof Required<ClientOptions>]: z.ZodType<ClientOptions[Key]> } = {
  cluster: clusterName,
  identity: z.union([z.string().min(1), z.instanceof(Uint8Array)]),
  timeoutMs: z.number().int().min(1).max(600_000).optional(),
  logger: z.custom<ServiceLogger>(isLogger, 'an object with the methods debug, info, warn and error').optional(),
}

function isLogger(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const logger = value as Readonly<Record<string, unknown>>
  return ['debug', 'info', 'warn', 'error'].every((level) => typeof logger[level] === 'function')
}

/** Throws key_unreadable, key_permissions, key_malformed. */
export function openIdentity(identity: string | Uint8Array): Promise<Identity> {
  return typeof identity === 'string' ? loadIdentity(identity) : identityFromSeed(identity)
}
