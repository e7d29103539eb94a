/**
 * The version of the channel protocol. It is part of the Noise prologue, so peers of two versions never finish a handshake.
 *
 * History:
 * - 1 (2026-11): first version. Noise XX, varint-prefixed messages, hello and welcome, empty messages as heartbeats.
 */
export const PROTOCOL_VERSION = 1

/** What a node says about itself in hello and welcome, for `status` and for people; nothing is decided by it. */
export const SOFTWARE_VERSION = '0.1.0'

/**
 * Separates clusters and versions from each other. It is no secret: whoever knows the cluster's name can compute it.
 * The version is a number, so the first two slashes end it and no cluster name can imitate another version.
 */
export function prologueBytes(cluster: string): Uint8Array {
  return Buffer.from(`macaroond/${PROTOCOL_VERSION}/${cluster}`, 'utf8')
}
