/** Lists all orgs, call by call. */
import type { OrgDescription, OrgListPage, OrgListParams, OrgListResult } from '../../shared/protocol/sign.ts'

/** Joins the pages. The last org of a page may go on in the next one. */
export async function listOrgs(call: (method: string, params: object) => Promise<OrgListPage>): Promise<OrgListResult> {
  const orgs = new Map<string, OrgDescription>()
  for (let after: OrgListParams['after'] = null; after !== undefined;) {
    const page: OrgListPage = await call('org.list', { after })
    for (const org of page.orgs) {
      orgs.set(org.name, { ...org, keys: [...(orgs.get(org.name)?.keys ?? []), ...org.keys] })
    }
    after = page.next ?? undefined
  }
  return { orgs: [...orgs.values()] }
}
