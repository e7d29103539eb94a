/**
 * The one way in which a node reads its configuration again: SIGHUP and the call `reload` both come here. A configuration that
 * is wrong changes nothing.
 */
import { isDeepStrictEqual } from 'node:util'
import { reportOf } from '../errors.ts'
import type { Log } from '../log.ts'
import { type ReloadResult, reloadText } from '../protocol/reload.ts'

/** A node that can read its configuration again. Throws config_unreadable, config_invalid, file_untrusted. */
export interface Reloadable {
  /** `by` is the operator who asked; undefined for SIGHUP. */
  readonly reload: (by?: string) => ReloadResult | Promise<ReloadResult>
}

/** Reloads and logs the outcome. Rejects with the error of the configuration; the previous one then stays in use. */
export async function reloadNode(node: Reloadable, log: Log, by?: string): Promise<ReloadResult> {
  const asked = { by: by ?? 'SIGHUP' }
  try {
    const result = await node.reload(by)
    log.info({ ...asked, ...result }, `configuration reloaded: ${reloadText(result)}`)
    return result
  } catch (error) {
    log.error({ ...asked, error: reportOf(error) }, 'the configuration was not reloaded: the previous one stays in use')
    throw error
  }
}

/** The keys that differ, as `freshness.lease_ms`. A list counts as one value. */
export function differingKeys(before: unknown, now: unknown, path = ''): readonly string[] {
  if (isDeepStrictEqual(before, now)) return []
  if (!isTable(before) || !isTable(now)) return [path]
  const keys = [...new Set([...Object.keys(before), ...Object.keys(now)])]
  return keys.flatMap((key) => differingKeys(before[key], now[key], path === '' ? key : `${path}.${key}`))
}

function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
