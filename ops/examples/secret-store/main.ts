/** The Fly.io example: an orchestrator for all tenants, which can read no tenant's secret without that tenant's token. */
import { attenuate, createDischargeClient, decodeTokenText, encodeTokenText } from '../../../shared/library.ts'
import { startCluster } from '../shared/cluster.ts'
import { call, textIn } from '../shared/http.ts'
import { ServiceProcess } from '../shared/service-process.ts'
import { tell } from '../shared/story.ts'

await tell('An orchestrator that must touch every tenant, and a secret store', async (story) => {
  const cluster = await startCluster(story, { peers: [{ name: 'orchestrator', role: 'signer', orgs: [] }] })
  const { operator } = cluster
  for (const org of ['acme', 'globex']) await operator.createOrg(org)
  const { location, publicKey } = await operator.addThirdParty({ name: 'secret-store' })
  const settings = { location, publicKey }
  const store = await ServiceProcess.start(story, new URL('store.ts', import.meta.url), { settings })
  const orchestrator = await cluster.signerAs('orchestrator')
  const broad = textIn((await call(`${store.url}/orchestrator-token`)).body, 'token')

  const read = async (tenant: string, bundle: string, machine = 'm1'): Promise<string> => {
    const { status, body } = await call(`${store.url}/${tenant}?machine=${machine}`, { token: bundle })
    return status === 200 ? textIn(body, 'secret') : `refused: ${textIn(body, 'caveat')}`
  }
  /** The orchestrator's token with a discharge that was obtained by presenting a tenant's token. */
  const withDischargeFor = (tenantToken: string): Promise<string> => {
    const ask = async ({ ticket }: { readonly ticket: string }): Promise<string> =>
      (await orchestrator.discharge({ ticket, tokens: [tenantToken] })).discharge
    return createDischargeClient({ ask }).discharge(broad)
  }

  story.chapter('the store gave the orchestrator one token for all secrets')
  await story.see('alone it reads', 'refused: discharge_missing', () => read('acme', broad))

  story.chapter('acme’s user deploys to machine m1')
  const user = await operator.mint({ org: 'acme', subject: 'alice', caveats: ['op = read'] })
  // The user narrows the token to the machine before it leaves the user's hands.
  const deploy = encodeTokenText(attenuate(decodeTokenText(user.token), ['machine = m1']))
  const bundle = await withDischargeFor(deploy)
  await story.see('acme’s secret on m1', 'the password of acme’s database', () => read('acme', bundle))
  await story.see('acme’s secret on m2', 'refused: machine = m1', () => read('acme', bundle, 'm2'))
  await story.see('globex’s secret', 'refused: tenant = acme', () => read('globex', bundle))
  const reads = store.lines.filter((line) => line['allowed'] === true)
  await story.see('the store’s log names the token', user.id, () =>
    reads.map((line) => String(line['presented'])).join(),
  )

  story.chapter('somebody steals the orchestrator’s token')
  await story.see('it reads', 'refused: discharge_missing', () => read('globex', broad))
  // A thief with a valid token of that tenant still needs one that allows reading.
  const mallory = await operator.mint({ org: 'globex', subject: 'mallory', caveats: ['op = write'] })
  await story.see('a token that may not read earns', 'token_refused', () => withDischargeFor(mallory.token))
  await story.see(
    'the orchestrator itself mints',
    'permission_denied',
    async () => (await orchestrator.mint({ org: 'acme', subject: 'orchestrator' })).id,
  )

  story.chapter('acme’s token is revoked')
  await operator.revoke({ id: user.id })
  await story.see('it earns', 'token_refused', () => withDischargeFor(deploy))
  // A discharge lives at most a minute. That bounds how long a store that asks nobody still accepts it.
  await store.passHalfAMinute()
  await store.passHalfAMinute()
  await story.see('the last discharge, a minute later', 'refused: time < …', async () =>
    (await read('acme', bundle)).replace(/time < \d+/, 'time < …'),
  )
})
