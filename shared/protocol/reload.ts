/** The call `reload` on the `admin` channel: a node reads its configuration again and says what that changed. */
import { z } from 'zod'

/** Names of peers in the configuration, each with its role, as `api (worker)`. */
export interface PeerChanges {
  readonly added: readonly string[]
  readonly removed: readonly string[]
  /** Peers with another name, role, region or orgs. */
  readonly changed: readonly string[]
}

export interface ReloadResult {
  readonly peers: PeerChanges
  /** Other keys whose new values are in force. */
  readonly applied: readonly string[]
  /** Keys whose new values need a restart. They are compared with the configuration that the node was started with. */
  readonly restart: readonly string[]
  /**
   * False if the primary could not write the audit record yet; it writes the record as soon as it can. Absent in the answer of
   * a replica, whose log has the record, and of a primary of an earlier version.
   */
  readonly audited?: boolean | undefined
}

const names = z.array(z.string().max(256)).max(10_000)

export const reloadResult: z.ZodType<ReloadResult> = z.object({
  peers: z.object({ added: names, removed: names, changed: names }),
  applied: names,
  restart: names,
  audited: z.boolean().optional(),
})

/** The change in words, for the log and for a person. */
export function reloadText({ peers, applied, restart }: ReloadResult): string {
  const parts = [
    ...Object.entries(peers).flatMap(([how, of]: [string, readonly string[]]) => partOf(`${how} `, of)),
    ...partOf('in force now: ', applied),
    ...partOf('needs a restart: ', restart),
  ]
  return parts.length === 0 ? 'nothing in it changed' : parts.join('; ')
}

/** Names in one sentence. A list may have thousands of peers. */
const NAMED_MAX = 20

function partOf(before: string, of: readonly string[]): readonly string[] {
  if (of.length === 0) return []
  const more = of.length > NAMED_MAX ? ` and ${of.length - NAMED_MAX} more` : ''
  return [`${before}${of.slice(0, NAMED_MAX).join(', ')}${more}`]
}
