import { describe, expect, it } from 'vitest'
import { type ListedPeer, PeerRegistry } from '../../../shared/channel/peers.ts'
import { clientIdentity, dialTo, serve, type Server, strangerIdentity, until } from './pair.ts'

const client: ListedPeer = { id: clientIdentity.peerId, name: 'api', role: 'signer', orgs: ['acme', 'globex'] }

async function guarded(registry: PeerRegistry): Promise<Server> {
  return serve({
    accept: (peer, channel, _hello, remoteAddress) => {
      const admission = registry.admit(peer, channel, remoteAddress)
      return admission.ok ? { ok: true, welcome: {} } : admission
    },
    onConnection: (connection) => void registry.track(connection),
  })
}

describe('the list of peers', () => {
  it('opens to each peer what its role opens, and refuses the rest with a hint', async () => {
    const { listener } = await guarded(new PeerRegistry([client]))
    await dialTo(listener, { channel: 'sign' })
    const refused = expect.objectContaining({
      code: 'peer_refused',
      hint: expect.stringContaining('use another profile') as string,
    })
    await expect(dialTo(listener, { channel: 'wal' })).rejects.toEqual(refused)
    await expect(dialTo(listener, { channel: 'sign', identity: strangerIdentity })).rejects.toEqual(refused)
  })

  it('is refused as a whole when an id is no PeerId or stands twice', () => {
    expect(() => new PeerRegistry([client, { ...client, role: 'worker' }])).toThrow('listed twice')
    const registry = new PeerRegistry([client])
    expect(() => registry.replace([{ ...client, id: 'QmXyz' }])).toThrow('not a PeerId')
    expect(registry.find(clientIdentity.peerId)?.name).toBe('api')
  })

  const changes: [string, ListedPeer[]][] = [
    ['is not listed any more', []],
    ['has another role', [{ ...client, role: 'worker' }]],
    ['has another region', [{ ...client, region: 'sin' }]],
    ['may act for fewer orgs', [{ ...client, orgs: ['acme'] }]],
    ['has another role that opens the channel too', [{ ...client, role: 'operator' }]],
  ]
  it.each(changes)('when replaced cuts off a peer that %s', async (_what, peers) => {
    const registry = new PeerRegistry([client])
    const { listener } = await guarded(registry)
    const near = await dialTo(listener, { channel: 'sign' })
    const [far] = listener.connections()
    registry.replace(peers)
    expect(await far?.closed).toMatchObject({ code: 'peer_refused' })
    expect(await near.closed).toMatchObject({ code: 'connection_lost' })
  })

  it('says which peers a new list adds, removes and changes', () => {
    const stranger: ListedPeer = { id: strangerIdentity.peerId, name: 'x', role: 'worker' }
    const registry = new PeerRegistry([client])
    const nothing = { added: [], removed: [], changed: [] }
    expect(registry.replace([{ ...client, orgs: ['globex', 'acme'] }])).toEqual(nothing)
    expect(registry.replace([client, stranger])).toEqual({ ...nothing, added: ['x (worker)'] })
    expect(registry.replace([{ ...client, name: 'api-2' }])).toEqual({
      added: [],
      removed: ['x (worker)'],
      changed: ['api-2 (signer)'],
    })
  })

  it('when replaced leaves a peer alone whose rights are the same', async () => {
    const registry = new PeerRegistry([client])
    const { listener } = await guarded(registry)
    await dialTo(listener, { channel: 'sign' })
    registry.replace([{ ...client, name: 'api-2', orgs: ['globex', 'acme'] }])
    registry.replace([
      { ...client, orgs: ['globex', 'acme'] },
      { id: strangerIdentity.peerId, name: 'x', role: 'worker' },
    ])
    await new Promise((resolve) => setImmediate(resolve))
    expect(listener.connections()).toHaveLength(1)
  })

  it('that changed between the decision and the connection is looked at again', async () => {
    const registry = new PeerRegistry([client])
    const { listener } = await serve({
      accept: () => ({ ok: true, welcome: {} }),
      onConnection: (connection) => {
        registry.replace([])
        expect(registry.track(connection)).toBe(false)
      },
    })
    // Whether the welcome still got out or not, this is how it ends for the dialer.
    const outcome = await dialTo(listener, { channel: 'sign' }).then(
      (near) => near.closed,
      (error: unknown) => error,
    )
    expect(outcome).toMatchObject({ code: 'connection_lost' })
    expect(listener.connections()).toEqual([])
  })

  it('can open verify to everybody, nothing else, so many for each address, and closes again', async () => {
    const registry = new PeerRegistry([client], { openVerify: true })
    const { listener } = await guarded(registry)
    const guest = { identity: strangerIdentity }
    await expect(dialTo(listener, { ...guest, channel: 'feed' })).rejects.toMatchObject({ code: 'peer_refused' })
    for (let index = 0; index < 32; index += 1) await dialTo(listener, { ...guest, channel: 'verify' })
    await expect(dialTo(listener, { ...guest, channel: 'verify' })).rejects.toMatchObject({ code: 'overloaded' })
    await expect(dialTo(listener, { channel: 'verify' })).rejects.toMatchObject({ code: 'peer_refused' })
    await dialTo(listener, { channel: 'sign' })
    registry.replace([client])
    await until(() => listener.connections().length === 1)
  })
})
