/** Lists all orgs, page by page. */
import type { OrgDescription, OrgListPage, OrgListParams, OrgListResult } from '../../shared/protocol/sign.ts'

/** Joins the pages. The keys of an org may continue on the next page. */
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
