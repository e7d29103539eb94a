/**
 * Reads the primary's configuration again: `peers` takes effect at once, and everything else needs a restart. The answer comes
 * after the audit record (S9). A reload is never refused because it cannot be recorded now, because it may remove the key of
 * somebody who stole it: it is done, and the answer says that it is not audited yet.
 */
import { type ReloadResult, reloadText } from '../shared/protocol/reload.ts'
import { differingKeys } from '../shared/service/reload.ts'
import type { PrimaryParts } from './assembly.ts'

type Reloaded = Pick<PrimaryParts, 'options' | 'peers' | 'settling' | 'obstacles'>

/** `by` is the caller as the audit records it; undefined for SIGHUP. Throws config_unreadable, config_invalid. */
export async function reloadPrimary(
  { options, peers: registry, settling, obstacles }: Reloaded,
  by?: string,
): Promise<ReloadResult> {
  const { peers, ...rest } = options.reread()
  const { peers: _, ...started } = options.config
  const result = { peers: registry.replace(peers), applied: [], restart: differingKeys(started, rest) }
  // A new list of replicas is a new configuration, which the database records.
  settling.check()
  const audited = await obstacles.record({
    kind: 'audit.note',
    actor: { text: by ?? 'primary' },
    action: 'configuration.reload',
    detail: { change: reloadText(result), ...(by === undefined ? { signal: 'SIGHUP' } : {}) },
  })
  return { ...result, audited }
}
