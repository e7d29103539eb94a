/** Entry of the published package `macaroond/signer`, for services that issue tokens. It connects to the primary over Noise. */
import '../../shared/supported-node.ts'
import { z } from 'zod'
import { parsePeerId } from '../../shared/channel/peer-id.ts'
import { PersistentClient } from '../../shared/channel/persistent-client.ts'
import {
  clientFields,
  nodeAddress,
  openIdentity,
  type ClientOptions,
  type NodeAddress,
} from '../../shared/config/client-options.ts'
import { systemClock } from '../../shared/clock.ts'
import { readProfile } from '../../shared/config/profile.ts'
import { checkConfig } from '../../shared/config/read-config.ts'
import { connectionLog, safeLogger } from '../../shared/service-logger.ts'
import { signerOver, type Signer } from './signer.ts'

export { MacaroondError } from '../../shared/errors.ts'
export type { ErrorCode, ErrorKind } from '../../shared/errors.ts'
export type { NodeAddress } from '../../shared/config/client-options.ts'
export type { ServiceLogger } from '../../shared/service-logger.ts'
export type * from '../../shared/protocol/sign.ts'
export type {
  IssueRecord,
  ListedToken,
  ListTokensResult,
  MadeFromResult,
  MadeToken,
  ShowTokenResult,
  TokenState,
} from '../../shared/protocol/tokens.ts'
export type {
  AdoptParams,
  AdoptResult,
  ForgetParams,
  ForgetResult,
  PendingParams,
  PendingSelection,
  WhyWaiting,
} from '../../shared/protocol/pending.ts'
export type {
  FindRevocationsParams,
  KeyRetired,
  OrgDisabled,
  Reached,
  RevocationsParams,
  RevokeWait,
  TokenRevoked,
  TokensCounted,
  TokensOnRecord,
} from '../../shared/protocol/revoke.ts'
export type {
  CountRequest as CountTokensParams,
  ListedRevocation as RevocationDescription,
  ListedRevocations as RevocationsResult,
  OrgCutOff as OrgRevoked,
  RevocationAnswer as RevokeAnswer,
  RevocationResult as RevokeResult,
  ShownRevocation,
  ShownRevocations,
  SubjectCutOff as SubjectRevoked,
  ListedPendingRevocation as PendingRevocation,
  ListedPendingRevocations as PendingResult,
} from './revocations.ts'
export type {
  DisableOrgRequest,
  ExchangeRequest,
  ListTokensRequest,
  MadeFromRequest,
  MintedToken,
  MintRequest,
  RetireKeyRequest,
  RevokeIssuedRequest,
  RevokeOptions,
  RevokeRequest,
  Signer,
  ThirdPartyRequest,
} from './signer.ts'
export type { CoveredReplica, CoverageResult } from '../../shared/protocol/coverage.ts'

export interface SignerOptions extends ClientOptions {
  readonly primary: NodeAddress
}

const signerOptions: z.ZodType<SignerOptions> = z.strictObject({ ...clientFields, primary: nodeAddress })

const DEFAULT_TIMEOUT_MS = 10_000

/**
 * Reads the options from a signer's profile, a file that `macaroond init` and `macaroond dev` write. Throws config_invalid,
 * config_unreadable.
 */
export async function readSignerProfile(file: string): Promise<SignerOptions> {
  const { cluster, identity, primary } = readProfile(file)
  return { cluster, identity, primary: { address: primary.address, peerId: primary.peer_id } }
}

/**
 * Checks the options, reads the identity and starts to connect. A call waits for the connection, within its own timeout. Throws
 * config_invalid, key_unreadable, key_permissions, key_malformed.
 */
export async function createSigner(options: SignerOptions): Promise<Signer> {
  const {
    cluster,
    identity,
    primary,
    logger,
    timeoutMs = DEFAULT_TIMEOUT_MS,
  } = checkConfig('createSigner', options, signerOptions)
  const client = new PersistentClient({
    address: primary.address,
    peerId: parsePeerId(primary.peerId),
    identity: await openIdentity(identity),
    cluster,
    channel: 'sign',
    log: connectionLog(safeLogger(logger), () => ({ address: primary.address, channel: 'sign' })),
  })
  return signerOver(client, { timeoutMs, clock: systemClock })
}
