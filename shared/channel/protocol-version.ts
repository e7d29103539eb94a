/**
 * The version of the channel protocol. It is part of the Noise prologue, so peers of two versions never finish a handshake.
 *
 * History:
 * - 1 (2026-11): first version. Noise XX, varint-prefixed messages, hello and welcome, empty messages as heartbeats.
 */
export const PROTOCOL_VERSION = 1

/** Software version in hello and welcome, for `status` and for people. No decision depends on it. */
export const SOFTWARE_VERSION = '0.2.0'

/**
 * Separates clusters and versions. It is no secret: anybody who knows the cluster's name can compute it. The version is a
 * number between the first two slashes, so no cluster name can imitate another version.
 */
export function prologueBytes(cluster: string): Uint8Array {
  return Buffer.from(`macaroond/${PROTOCOL_VERSION}/${cluster}`, 'utf8')
}
