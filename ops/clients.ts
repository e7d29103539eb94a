/**
 * Opens connections for a command: a profile in, a signer, a verifier or an admin call out. The SDKs are imported by the
 * functions that need them, because loading Noise would slow down every command.
 */
import type { Command } from 'commander'
import type { ChannelName } from '../shared/channel/channel-name.ts'
import type { Signer } from '../primary/signer/sdk.ts'
import type { ExplainResult, Verifier, VerifyOptions, WorkerVerdict } from '../replica/worker/sdk.ts'
import { readProfile, type Profile, type ProfileNode, type ProfileReplica } from '../shared/config/profile.ts'
import { suggest } from '../shared/suggest.ts'
import { MacaroondError } from '../shared/errors.ts'
import type { NodeStatus } from '../shared/protocol/status.ts'
import type { Access } from '../shared/verifier/access.ts'
import { refused } from '../shared/verifier/verdict.ts'
import type { RunningCluster, WithAdmin } from './admin.ts'
import { inWordsOfProfile, moreHelpful } from './verdict-cause.ts'

/**
 * Longer than the 2 s after which a primary answers that a write did not become durable, so that the caller gets that answer.
 */
const SIGN_TIMEOUT_MS = 5_000
/** Longer than a replica waits for a minimum position, so that its own answer arrives before the next replica is asked. */
const VERIFY_TIMEOUT_MS = 2_500

/** The profile named by `--profile` or MACAROOND_PROFILE. Throws usage, config_invalid, config_unreadable. */
export function profileOf(command: Command, env: NodeJS.ProcessEnv): Profile {
  const profile = optionalProfileOf(command, env)
  if (profile !== undefined) return profile
  throw new MacaroondError('usage', 'this command talks to a cluster, and no profile names one', {
    hint: 'give --profile FILE, or set MACAROOND_PROFILE; `macaroond dev` writes one for its cluster',
  })
}

/** The profile for commands that also work without a cluster. Throws config_invalid, config_unreadable. */
export function optionalProfileOf(command: Command, env: NodeJS.ProcessEnv): Profile | undefined {
  const { profile = env['MACAROOND_PROFILE'] } = command.optsWithGlobals<{ profile?: string }>()
  return profile === undefined || profile === '' ? undefined : readProfile(profile)
}

/** Runs `use` with a signer, and closes the signer in every case. */
export async function withSigner<T>(profile: Profile, use: (signer: Signer) => Promise<T>): Promise<T> {
  const { createSigner } = await import('../primary/signer/sdk.ts')
  const { cluster, identity, primary } = profile
  const signer = await createSigner({ cluster, identity, primary: nodeOf(primary), timeoutMs: SIGN_TIMEOUT_MS })
  try {
    return await use(signer)
  } finally {
    await signer.close()
  }
}

/** The replicas of one region, or all replicas. Throws usage for a region without a replica. */
export function replicasIn({ replicas }: Profile, region: string | undefined): readonly ProfileReplica[] {
  const found = region === undefined ? replicas : replicas.filter((replica) => replica.region === region)
  if (found.length > 0) return found
  const regions = [...new Set(replicas.map((replica) => replica.region))]
  const near = region === undefined ? undefined : suggest(region, regions)
  throw new MacaroondError(
    'usage',
    region === undefined ? 'the profile names no replica' : `the profile names no replica in region ${region}`,
    { hint: near === undefined ? `its regions: ${regions.join(', ') || 'none'}` : `did you mean ${near}?` },
  )
}

/**
 * A verifier that asks only this replica. The cache is off: a command verifies once, and its purpose is to show what that
 * replica says now.
 */
export async function openVerifier({ cluster, identity }: Profile, replica: ProfileNode): Promise<Verifier> {
  const { createVerifier } = await import('../replica/worker/sdk.ts')
  return createVerifier({ cluster, identity, replicas: [nodeOf(replica)], timeoutMs: VERIFY_TIMEOUT_MS, cache: false })
}

/** One verification, as a command states it. */
export interface VerifyCall {
  readonly token: string
  readonly access: Access
  readonly options: VerifyOptions
}

/** Asks one replica after the other until one judges the token. Returns an `unavailable` if none can. */
export async function verifyAt(
  profile: Profile,
  replicas: readonly ProfileReplica[],
  { token, access, options }: VerifyCall,
): Promise<WorkerVerdict> {
  let unavailable: WorkerVerdict = refused('unavailable', 'no replica was asked')
  for (const replica of replicas) {
    await using verifier = await openVerifier(profile, replica)
    const verdict = inWordsOfProfile(await verifier.verify(token, access, options))
    if (verdict.ok || verdict.reason !== 'unavailable') return verdict
    unavailable = moreHelpful(unavailable, verdict)
  }
  return unavailable
}

/** The explanation of the first replica that answers. Throws the error of the last one if none does. */
export async function explainAt(
  profile: Profile,
  replicas: readonly ProfileReplica[],
  { token, access, options }: VerifyCall,
): Promise<ExplainResult> {
  let failure: unknown
  for (const replica of replicas) {
    const verifier = await openVerifier(profile, replica)
    try {
      return await verifier.explain(token, access, options)
    } catch (error) {
      failure = error
    } finally {
      await verifier.close()
    }
  }
  throw failure
}

/** Asks one node for its status, without a retry. */
export async function askStatus(profile: Profile, node: ProfileNode): Promise<NodeStatus> {
  const { statusOf } = await import('./admin.ts')
  return statusOf(adminOf(profile), node)
}

/** Calls to the nodes of a profile, made with the profile's identity and without a retry. */
export function adminOf({ cluster, identity }: Profile, channel: ChannelName = 'admin'): WithAdmin {
  return async (node, use) => {
    const [{ adminOver }, { loadIdentity }, { systemHost }] = await Promise.all([
      import('./admin.ts'),
      import('../shared/channel/identity.ts'),
      import('../shared/service/host.ts'),
    ])
    const caller = { cluster, identity: await loadIdentity(identity), host: systemHost }
    return adminOver(caller, channel)(node, use)
  }
}

/** The running nodes that a restore asks for revocations and positions. */
export function runningCluster(profile: Profile): RunningCluster {
  return { ...profile, admin: adminOf(profile) }
}

/** Profiles use the names of TOML (`peer_id`), the SDKs those of JavaScript. */
function nodeOf({ address, peer_id }: ProfileNode): { readonly address: string; readonly peerId: string } {
  return { address, peerId: peer_id }
}
