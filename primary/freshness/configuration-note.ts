/** Compares the configuration with the one that the database records, which a restore reads to find its witnesses. Pure. */
import type { KnownPeer } from '../../shared/channel/peers.ts'
import { type Configured, isSameConfiguration } from '../../shared/database/configured.ts'
import type { Command } from '../authority/commands.ts'
import { type DurabilitySettings, requiredLevel } from '../durability/durability.ts'

/** The command that records the configuration; undefined if the database has it already. */
export function configurationNote(
  noted: Configured | undefined,
  replicas: readonly KnownPeer[],
  settings: DurabilitySettings,
): Command | undefined {
  const named = replicas.map(({ id, region }) => ({ peerId: String(id), region: region ?? '' }))
  const byId = named.toSorted((a, b) => (a.peerId < b.peerId ? -1 : 1))
  const durability = requiredLevel(settings, replicas.length > 0)
  const configured = { replicas: byId, durability, degraded: settings.degraded }
  if (isSameConfiguration(noted, configured)) return undefined
  return { kind: 'configuration.note', actor: { text: 'primary' }, configured }
}
