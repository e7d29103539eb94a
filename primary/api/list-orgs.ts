/** Lists orgs and their keys, a page at a time: an answer has a limit, and there may be any number of orgs and keys. */
import { LIST_CHARS_MAX } from '../../shared/limits.ts'
import type { OrgDescription, OrgListPage, OrgListPlace } from '../../shared/protocol/sign.ts'
import type { AuthorityState, OrgKey } from '../authority/state.ts'

type ListedKey = OrgDescription['keys'][number]

/**
 * One page of the orgs for which `isVisible` is true, by name, from the place `after` on. A page that is not the last holds at
 * least one key, so a caller that follows `next` comes to an end.
 */
export function pageOfOrgs(
  { orgs, keys }: Pick<AuthorityState, 'orgs' | 'keys'>,
  isVisible: (name: string) => boolean,
  after: OrgListPlace | null,
): Required<OrgListPage> {
  const keysOf = Map.groupBy(keys.values(), ({ org }) => org)
  const names = [...orgs.keys()].filter((name) => name >= (after?.org ?? '') && isVisible(name)).toSorted()
  const page: OrgDescription[] = []
  let chars = 0
  for (const name of names) {
    const listed = name === after?.org ? after.keys : 0
    const rest = (keysOf.get(name) ?? []).toSorted((a, b) => a.generation - b.generation).slice(listed)
    if (listed > 0 && rest.length === 0) continue
    const { state, createdMs } = orgs.get(name)!
    chars += JSON.stringify({ name, state, createdMs, keys: [] }).length
    const fitting: ListedKey[] = []
    for (const key of rest.map(described)) {
      chars += JSON.stringify(key).length
      if (chars > LIST_CHARS_MAX) break
      fitting.push(key)
    }
    page.push({ name, state, createdMs, keys: fitting })
    if (chars > LIST_CHARS_MAX) return { orgs: page, next: { org: name, keys: listed + fitting.length } }
  }
  return { orgs: page, next: null }
}

function described({ kid, generation, state }: OrgKey): ListedKey {
  return { kid, generation, state }
}
