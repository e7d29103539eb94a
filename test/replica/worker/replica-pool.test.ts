import { describe, expect, test } from 'vitest'
import { serveRpc } from '../../../shared/channel/rpc-server.ts'
import type { Connection } from '../../../shared/channel/connection.ts'
import { MacaroondError } from '../../../shared/errors.ts'
import { silentLog } from '../../../shared/log.ts'
import { createVerifier } from '../../../replica/worker/sdk.ts'
import { networkLinks } from '../../../replica/worker/links.ts'
import { HomeRegion } from '../../../replica/worker/region.ts'
import { ReplicaPool } from '../../../replica/worker/replica-pool.ts'
import type { WorkerVerdict } from '../../../replica/worker/sdk.ts'
import { cleanup, clientIdentity, serve, serverIdentity, strangerIdentity } from '../../shared/channel/pair.ts'

const peerId = serverIdentity.peerId
const judged = { node: peerId, region: 'fra', pid: 1, epoch: 1, txid: 7, revocationSeq: 3 }
const accepted = { ok: true, id: 'x', org: 'acme', subject: 'alice', notes: [], caveatCount: 0, ...judged }

/** A listener that answers `verify` as told: the pool only forwards, so nothing of a real replica is needed here. */
async function replica(
  verify: (params: unknown) => unknown,
  region = 'fra',
  identity = serverIdentity,
): Promise<{ address: string; peerId: string }> {
  const onConnection = (connection: Connection): Promise<void> =>
    serveRpc(connection, { methods: { verify }, log: silentLog }).done
  const { listener } = await serve({ identity, onConnection, accept: () => ({ ok: true, welcome: { region } }) })
  return { address: listener.address, peerId: identity.peerId }
}

interface TestPool {
  readonly verify: () => Promise<WorkerVerdict>
}

function pool(replicas: { address: string; peerId: string }[], timeoutMs = 2_000, crossRegion = false): TestPool {
  const region = new HomeRegion({ region: 'fra', crossRegion })
  const made = new ReplicaPool({ cluster: 'test', replicas, region, ...networkLinks(clientIdentity) })
  cleanup(() => made.close())
  return { verify: () => made.verify({ token: 't', access: { org: 'acme' } }, { timeoutMs }) }
}

async function deadAddress(): Promise<string> {
  const { listener } = await serve()
  await listener.close()
  return listener.address
}

describe('the replicas of a region', () => {
  test('are asked in turn: a dead one costs a part of the time, and the next one answers', async () => {
    const alive = await replica(() => accepted)
    const verdict = await pool([{ address: await deadAddress(), peerId }, alive]).verify()
    expect(verdict).toEqual(accepted)
  })

  test('are asked again when the connection was lost under the call', async () => {
    let calls = 0
    const onConnection = (connection: Connection): Promise<void> => {
      const verify = (): unknown => {
        calls += 1
        if (calls === 1) connection.abort(new Error('lost'))
        return accepted
      }
      return serveRpc(connection, { methods: { verify }, log: silentLog }).done
    }
    const { listener } = await serve({ onConnection, accept: () => ({ ok: true, welcome: { region: 'fra' } }) })
    expect(await pool([{ address: listener.address, peerId }]).verify()).toEqual(accepted)
    expect(calls).toBe(2)
  })

  test('that hang do not take all of the time from those that answer', async () => {
    const hung = await replica(() => new Promise(() => undefined))
    const alive = await replica(() => accepted)
    expect(await pool([hung, alive]).verify()).toEqual(accepted)
  })

  test('that cannot be reached make the verdict unavailable, not an exception or a refusal', async () => {
    const verdict = await pool([{ address: await deadAddress(), peerId }], 200).verify()
    expect(verdict).toMatchObject({ ok: false, reason: 'unavailable' })
  })

  test('that cannot judge are skipped for one that can, else the last answer is returned', async () => {
    const stale = { ok: false, reason: 'unavailable', message: 'this replica is cut off', ...judged }
    const cutOff = await replica(() => stale)
    expect(await pool([cutOff, await replica(() => accepted)]).verify()).toEqual(accepted)
    expect(await pool([cutOff, { address: await deadAddress(), peerId }], 500).verify()).toEqual(stale)
  })

  test('of another region are not asked, unless that was configured', async () => {
    const home = await replica(() => ({ ok: false, reason: 'unavailable', message: 'cut off', ...judged }))
    const abroad = await replica(() => accepted, 'sin', strangerIdentity)
    expect(await pool([abroad, home], 1_000).verify()).toMatchObject({ reason: 'unavailable', node: peerId })
    expect(await pool([abroad, home], 2_000, true).verify()).toMatchObject({ ok: true, node: strangerIdentity.peerId })
  })

  test.each([
    ['nothing', null],
    ['a text', 'yes'],
    ['a number', 1],
    ['a list', [accepted]],
    ['nothing that is known', {}],
    ['a verdict without its state', { ok: true, id: 'x', org: 'acme', subject: 'alice', notes: [], caveatCount: 0 }],
    ['an acceptance without a subject', { ...accepted, subject: undefined }],
    ['a refusal that gives no reason', { ok: false, message: 'no', ...judged }],
    ['an epoch that cannot be', { ...accepted, epoch: Number.MAX_SAFE_INTEGER }],
    ['a number of a revocation that is none', { ...accepted, revocationSeq: 1.5 }],
    ['a text without end', { ...accepted, notes: ['x'.repeat(20_000)] }],
    ['an age that no lease has', { ...accepted, ageMs: 1e12 }],
  ])('that answer %s are passed over, and throw nothing', async (_, answer) => {
    const odd = await replica(() => answer)
    expect(await pool([odd]).verify()).toMatchObject({ ok: false, reason: 'unavailable' })
    expect(await pool([odd, await replica(() => accepted)]).verify()).toEqual(accepted)
  })

  test('that state an identity are not believed: the channel proves who answers', async () => {
    const posing = await replica(() => ({ ...accepted, node: 'somebody else' }))
    expect(await pool([posing]).verify()).toMatchObject({ ok: true, node: peerId })
  })

  test('of a newer version may give reasons that this one does not know', async () => {
    const refusal = { ok: false, reason: 'budget_spent', message: 'no', ...judged, more: { than: 'this' } }
    const newer = await replica(() => refusal)
    expect(await pool([newer]).verify()).toMatchObject({ ok: false, reason: 'budget_spent' })
  })

  test('answer errors about the call itself as such', async () => {
    const superseded = await replica(() => {
      throw new MacaroondError('position_superseded', 'undone')
    })
    await expect(pool([superseded]).verify()).rejects.toMatchObject({
      code: 'position_superseded',
    })
  })

  test('are given as options that are checked by name', async () => {
    const options = { cluster: 'test', identity: Buffer.alloc(32), replicas: [{ address: 'a:1', peerID: 'x' }] }
    await expect(createVerifier(options as never)).rejects.toMatchObject({
      code: 'config_invalid',
      hint: expect.stringContaining('peerId'),
    })
  })
})
