/** Puts an authority for tests together: a primary and a replica in memory, a verifier, and the clock of all three. */
import { signerOver } from '../../primary/signer/signer.ts'
import type { Signer } from '../../primary/signer/sdk.ts'
import { CachingVerifier } from '../../replica/worker/caching-verifier.ts'
import type { VerifierLinks } from '../../replica/worker/links.ts'
import type { Verifier, VerifierOptions } from '../../replica/worker/sdk.ts'
import { type Identity, identityFromSeed } from '../../shared/channel/identity.ts'
import type { KnownPeer } from '../../shared/channel/peers.ts'
import { systemEntropy } from '../../shared/clock.ts'
import { RevocationLog } from '../../shared/database/revocation-log.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { FRESHNESS_DEFAULTS, revocationBoundMs } from '../../shared/freshness/bound.ts'
import { attenuate } from '../../shared/macaroon/attenuate.ts'
import { decodeTokenText, encodeTokenText } from '../../shared/macaroon/text.ts'
import { kekFromHex } from '../../shared/sealing.ts'
import { systemHost } from '../../shared/service/host.ts'
import { InMemoryPrimary } from './in-memory-primary.ts'
import { InMemoryReplica } from './in-memory-replica.ts'
import { InProcessClient } from './in-process-client.ts'
import { InProcessFeed } from './in-process-feed.ts'
import { ManualClock } from './manual-clock.ts'
import type { TestAuthority, TestClock } from './public-types.ts'

interface InProcessAuthorityOptions extends Pick<VerifierOptions, 'cache'> {
  readonly region: string
  readonly startMs: number
}

interface Identities {
  readonly replica: Identity
  readonly signer: Identity
  readonly worker: Identity
}

const CLUSTER = 'test'
const ADDRESS = 'in-process:1'
const SIGN_TIMEOUT_MS = 10_000
const ADVANCE_MS_MAX = 200 * 365 * 86_400_000

export class InProcessAuthority implements TestAuthority {
  readonly signer: Signer
  readonly verifier: Verifier
  readonly clock: TestClock
  readonly #clock: ManualClock
  readonly #primary: InMemoryPrimary
  readonly #replica: InMemoryReplica
  readonly #revocations: RevocationLog
  readonly #identities: Identities
  readonly #region: string
  readonly #signers: Signer[] = []
  #feed: InProcessFeed | undefined
  #cutOff = false

  private constructor({ region, startMs, cache }: InProcessAuthorityOptions, identities: Identities) {
    this.#identities = identities
    this.#region = region
    // The first token is issued after the millisecond in which the database was made, because nonces increase strictly.
    this.#clock = new ManualClock(startMs - 1)
    const kek = kekFromHex(systemEntropy.bytes(32).toString('hex'))
    const common = { cluster: CLUSTER, kek, clock: this.#clock, entropy: systemEntropy }
    const { peerId } = identities.replica
    const replica = { id: peerId, name: region, role: 'replica', region } as const
    this.#primary = new InMemoryPrimary({ ...common, replica, onCommitted: () => this.#committed() })
    this.#clock.move(1)
    this.#revocations = new RevocationLog(this.#primary.db)
    this.#replica = new InMemoryReplica({ ...common, primary: this.#primary, peerId, region })
    this.#replica.connect()
    const replicas = [{ address: ADDRESS, peerId }]
    const host = { ...systemHost, clock: this.#clock }
    this.verifier = new CachingVerifier({ cluster: CLUSTER, replicas, region, cache }, this.#links(), host)
    this.#feed?.begin()
    this.signer = this.#signerOf({ role: 'operator', name: 'operator' })
    this.clock = { nowMs: this.#clock.wallMs, advance: (ms) => this.#advance(ms) }
  }

  static async start(options: InProcessAuthorityOptions): Promise<InProcessAuthority> {
    const make = (): Promise<Identity> => identityFromSeed(systemEntropy.bytes(32))
    const [replica, signer, worker] = await Promise.all([make(), make(), make()])
    return new InProcessAuthority(options, { replica, signer, worker })
  }

  readonly signerFor: TestAuthority['signerFor'] = (...orgs) => {
    return this.#signerOf({ role: 'signer', name: orgs.join(',') || 'signer', orgs })
  }

  readonly attenuate: TestAuthority['attenuate'] = (token, caveats) => {
    return encodeTokenText(attenuate(decodeTokenText(token), caveats))
  }

  readonly loseLease = (): void => {
    if (this.#cutOff) return
    this.#cutOff = true
    this.#replica.disconnect()
    this.#clock.move(revocationBoundMs(FRESHNESS_DEFAULTS))
    this.#feed?.renew()
  }

  readonly restoreLease = (): void => {
    if (!this.#cutOff) return
    this.#cutOff = false
    this.#replica.connect()
    this.#renewFeed()
  }

  readonly close = async (): Promise<void> => {
    await this.verifier.close()
    await Promise.all(this.#signers.map((signer) => signer.close()))
    this.#replica.close()
    this.#primary.close()
  }

  readonly [Symbol.asyncDispose] = (): Promise<void> => this.close()

  /** A lease that lasts for the whole step stands for the many short ones that a healthy cluster would have granted. */
  #advance(ms: number): void {
    if (typeof ms !== 'number' || !(ms >= 0 && ms <= ADVANCE_MS_MAX))
      throw new MacaroondError('request_invalid', `advance: milliseconds are a number from 0 to ${ADVANCE_MS_MAX}`)
    if (!this.#cutOff) this.#replica.renew(ms)
    this.#feed?.renew()
    this.#clock.move(ms)
    if (!this.#cutOff) this.#replica.renew()
    this.#feed?.renew()
  }

  /** Sends the verifier what the replica has applied. The replica then reports that both have it. */
  #renewFeed(): void {
    this.#feed?.renew()
    this.#replica.acknowledge()
  }

  /** A replica that is cut off learns nothing. */
  #committed(): void {
    if (this.#cutOff) return
    this.#replica.committed()
    this.#renewFeed()
  }

  #links(): VerifierLinks {
    const { replica, worker } = this.#identities
    return {
      openClient: ({ admit }) => {
        admit?.({ region: this.#region })
        return new InProcessClient(worker.peerId, this.#replica.methods)
      },
      openFeed: (feeding) => {
        const rowsAfter = (seq: number, limit: number): ReturnType<RevocationLog['after']> => {
          const known = this.#replica.tables.revocationSeq
          return this.#revocations.after(seq, limit).filter((row) => row.seq <= known)
        }
        const basis = (): InMemoryReplica['basis'] => this.#replica.basis
        this.#feed = new InProcessFeed(feeding, { peerId: replica.peerId, region: this.#region, basis, rowsAfter })
        return this.#feed
      },
    }
  }

  #signerOf(peer: Pick<KnownPeer, 'role' | 'name' | 'orgs'>): Signer {
    const { peerId: id } = this.#identities.signer
    const client = new InProcessClient(id, this.#primary.methodsOf({ ...peer, id }))
    const signer = signerOver(client, { timeoutMs: SIGN_TIMEOUT_MS, clock: this.#clock })
    this.#signers.push(signer)
    return signer
  }
}
