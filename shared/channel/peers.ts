/**
 * The peers that may connect to a node, and their rights. A reload replaces the whole list and closes every connection that the
 * new list does not allow.
 */
import { type ErrorReport, fromReport, MacaroondError } from '../errors.ts'
import type { PeerIdText } from '../ids.ts'
import type { PeerChanges } from '../protocol/reload.ts'
import { GUEST_CONNECTIONS_MAX, GUEST_CONNECTIONS_PER_ADDRESS_MAX, RETRY_AFTER_MS } from '../limits.ts'
import type { ChannelName } from './channel-name.ts'
import type { Connection } from './connection.ts'
import { parsePeerId } from './peer-id.ts'
import { isRole, mayOpen, type Role, ROLES } from './roles.ts'

/** A peer as the configuration lists it. */
export interface ListedPeer {
  readonly id: string
  readonly name: string
  readonly role: Role
  readonly region?: string | undefined
  /** For a signer: the orgs that it may act for, `*` for all. */
  readonly orgs?: readonly string[] | undefined
}

/** A listed peer whose id was checked. */
export interface KnownPeer extends ListedPeer {
  readonly id: PeerIdText
}

export interface PeerListOptions {
  /** True if unlisted peers may open `verify`, and nothing else. Their connections are limited by address. */
  readonly openVerify?: boolean
}

export type PeerAdmission =
  | { readonly ok: true; readonly peer: KnownPeer | undefined }
  | { readonly ok: false; readonly error: ErrorReport }

/** Judges a peer when it connects, and again with every new list. */
export class PeerRegistry {
  #peers: ReadonlyMap<PeerIdText, KnownPeer>
  #openVerify: boolean
  /** Maps a connection to its peer's entry at admission; undefined for a guest. */
  readonly #connections: Map<Connection, KnownPeer | undefined> = new Map()

  /** Throws request_invalid if an id is no PeerId or is listed twice. */
  constructor(peers: readonly ListedPeer[], options: PeerListOptions = {}) {
    this.#peers = index(peers)
    this.#openVerify = options.openVerify ?? false
  }

  find(peer: PeerIdText): KnownPeer | undefined {
    return this.#peers.get(peer)
  }

  all(): readonly KnownPeer[] {
    return [...this.#peers.values()]
  }

  /** Decides for `listen`: the peer's entry (undefined for a guest), or the refusal. */
  admit(peer: PeerIdText, channel: ChannelName, remoteAddress: string): PeerAdmission {
    const known = this.#peers.get(peer)
    if (known !== undefined && mayOpen(known.role, channel)) return { ok: true, peer: known }
    if (known === undefined && this.#openVerify && channel === 'verify') return this.#admitGuest(remoteAddress)
    return { ok: false, error: refusal(peer, channel, known) }
  }

  /**
   * Watches a welcomed connection, and closes it with peer_refused if a later list no longer allows it. The list may have
   * changed since `admit`, so the connection is judged again here. Returns false if it was closed at once.
   */
  track(connection: Connection): boolean {
    const known = this.#peers.get(connection.remotePeer)
    if (!this.#allows(known, connection.channel)) {
      connection.abort(fromReport(refusal(connection.remotePeer, connection.channel, known)))
      return false
    }
    this.#connections.set(connection, known)
    void connection.closed.then(() => this.#connections.delete(connection))
    return true
  }

  /** True if unlisted peers may open `verify`. */
  get openVerify(): boolean {
    return this.#openVerify
  }

  /** Takes effect at once. Throws request_invalid, as the constructor does, and then changes nothing. */
  replace(peers: readonly ListedPeer[], options: PeerListOptions = {}): PeerChanges {
    const next = index(peers)
    const changes = changesOf(this.#peers, next)
    this.#peers = next
    this.#openVerify = options.openVerify ?? false
    for (const [connection, before] of this.#connections) {
      const now = this.#peers.get(connection.remotePeer)
      if (this.#allows(now, connection.channel) && sameRights(before, now)) continue
      connection.abort(fromReport(refusal(connection.remotePeer, connection.channel, now)))
    }
    return changes
  }

  #allows(known: KnownPeer | undefined, channel: ChannelName): boolean {
    return known === undefined ? this.#openVerify && channel === 'verify' : mayOpen(known.role, channel)
  }

  #admitGuest(remoteAddress: string): PeerAdmission {
    let all = 0
    let here = 0
    for (const [connection, known] of this.#connections) {
      if (known !== undefined) continue
      all += 1
      if (connection.remoteAddress === remoteAddress) here += 1
    }
    if (all < GUEST_CONNECTIONS_MAX && here < GUEST_CONNECTIONS_PER_ADDRESS_MAX) return { ok: true, peer: undefined }
    const hint = 'ask the operator to list this peer as a worker: listed workers have capacity of their own'
    const message = 'too many connections of unlisted peers'
    return { ok: false, error: { code: 'overloaded', message, hint, retryAfterMs: RETRY_AFTER_MS } }
  }
}

function index(peers: readonly ListedPeer[]): ReadonlyMap<PeerIdText, KnownPeer> {
  const known = new Map<PeerIdText, KnownPeer>()
  for (const peer of peers) {
    const id = parsePeerId(peer.id)
    if (known.has(id)) throw new MacaroondError('request_invalid', `${id} is listed twice`)
    known.set(id, { ...peer, id })
  }
  return known
}

type Peers = ReadonlyMap<PeerIdText, KnownPeer>

function changesOf(before: Peers, now: Peers): PeerChanges {
  const text = ({ name, role }: KnownPeer): string => `${name} (${role})`
  const [gone, come] = [[...before.values()], [...now.values()]]
  const isChanged = (peer: KnownPeer): boolean => {
    const earlier = before.get(peer.id)
    return earlier !== undefined && (earlier.name !== peer.name || !sameRights(earlier, peer))
  }
  return {
    added: come.filter(({ id }) => !before.has(id)).map(text),
    removed: gone.filter(({ id }) => !now.has(id)).map(text),
    changed: come.filter(isChanged).map(text),
  }
}

/** True if nothing but the name differs. The name is only a label; rights depend on everything else. */
function sameRights(before: KnownPeer | undefined, now: KnownPeer | undefined): boolean {
  if (before === undefined || now === undefined) return before === now
  const orgs = (peer: KnownPeer): string => JSON.stringify([...(peer.orgs ?? [])].sort())
  return before.role === now.role && before.region === now.region && orgs(before) === orgs(now)
}

function refusal(peer: PeerIdText, channel: ChannelName, known: KnownPeer | undefined): ErrorReport {
  const message =
    known === undefined ? `this node does not know the peer ${peer}` : `a ${known.role} may not open ${channel}`
  return { code: 'peer_refused', message, hint: refusalHint(channel, known) }
}

/** Names the roles that may call. A listed identity needs another profile: more rights for this one would be too many. */
function refusalHint(channel: ChannelName, known: KnownPeer | undefined): string {
  const roles = ROLES.filter((role) => mayOpen(role, channel)).map((role) =>
    role === 'operator' ? 'an operator' : `a ${role}`,
  )
  const needed = `this call needs the identity of ${roles.join(' or ')}`
  return known === undefined
    ? `${needed}: use another profile, or have an operator list this identity in the configuration of that node and reload it`
    : `${needed}, and this is that of a ${known.role}: use another profile`
}

/** The role that a refusal of `admit` says this caller has; undefined if that node does not know the caller. */
export function roleInRefusal(message: string): Role | undefined {
  const [, role] = /^a (\w+) may not open /.exec(message) ?? []
  return isRole(role) ? role : undefined
}
