/** What a signer can ask of the primary, and each call over a connection to its `sign` channel. */
import type { PersistentClient } from '../../shared/channel/persistent-client.ts'
import type { Clock } from '../../shared/clock.ts'
import { parsePosition } from '../../shared/position.ts'
import type { CoverageParams, CoverageResult } from '../../shared/protocol/coverage.ts'
import { SERVICE_TTL_SECONDS_MAX } from '../../shared/limits.ts'
import { checkOwnCaveat } from '../../shared/minting/caveat-mistakes.ts'
import { checkSubject } from '../../shared/minting/subject.ts'
import type {
  CountTokensParams,
  FindRevocationsParams,
  KeyRetired,
  OrgDisabled,
  OrgRevoked,
  RevocationsParams,
  RevocationsResult,
  RevokeAnswer,
  RevokeResult,
  RevokeWait,
  SubjectRevoked,
  TokenRevoked,
  TokensCounted,
} from '../../shared/protocol/revoke.ts'
import type {
  AdoptParams,
  AdoptResult,
  ForgetParams,
  ForgetResult,
  PendingParams,
  PendingResult,
} from '../../shared/protocol/pending.ts'
import type {
  DischargeParams,
  DischargeResult,
  ExchangeResult,
  MintParams,
  MintResult,
  OrgCreateResult,
  OrgListResult,
  RotateKekResult,
  RotateKeyResult,
  ThirdPartyAddResult,
  ThirdPartyListResult,
  ThirdPartyRemoveResult,
} from '../../shared/protocol/sign.ts'
import { showRevocations, type ShownRevocations } from './show-revocations.ts'
import { untilCovered } from './until-covered.ts'

export interface MintRequest {
  readonly org: string
  /**
   * Whom the token is for, at most 255 bytes. They are compared byte by byte, so what looks like another one is refused: it is in
   * NFC, without white space around it and without characters that nobody sees.
   */
  readonly subject: string
  /** Takes any bytes as the subject: for names that exist elsewhere in this form. */
  readonly subjectAsIs?: boolean
  readonly caveats?: readonly string[]
  /** Default 24 hours; 0 for a token that does not expire. */
  readonly ttlSeconds?: number
}

export interface MintedToken extends MintResult {
  /** Caveats that may not mean what they read like, a sentence each. */
  readonly warnings: readonly string[]
}

/** How a revocation is made, whatever it names. */
export interface RevokeOptions {
  readonly reason?: string
  /** Default `durable`. `global` resolves once nobody accepts it any more, at the latest after the published bound. */
  readonly wait?: RevokeWait
  /**
   * The same id with the same content gives the same answer, also after a restart of the primary, unless 10,000 requests
   * came after it: for asking again when an answer was lost. Another content under it rejects with request_conflict.
   */
  readonly requestId?: string
  /** With `global`: called about once a second with what is still waited for. */
  readonly onProgress?: (soFar: CoverageResult) => void
}

/** A token by itself, which proves its expiry, or by its id. */
export type RevokeRequest = ({ readonly token: string } | { readonly id: string }) & RevokeOptions

/** Every token of an org, or of one subject of it, that was issued up to a moment. */
export interface RevokeIssuedRequest extends RevokeOptions {
  readonly org: string
  readonly subject?: string
  /** Unix milliseconds, itself included; without it, up to now. Never in the future. */
  readonly untilMs?: number
}

export interface RetireKeyRequest extends RevokeOptions {
  readonly org: string
  /** Without it, the one key that is active and does not mint any more. */
  readonly kid?: string
}

export interface DisableOrgRequest extends RevokeOptions {
  readonly org: string
}

export interface ExchangeRequest {
  /** A bundle: the token, and the discharge of its login. */
  readonly token: string
  /** Location of the login's third-party caveat, which the service token will not have. */
  readonly strip: string
  /**
   * Id of the token that the login was put into, and the ticket of that caveat (its caveat id, base64url), both as they were
   * written down then. They name the login: whoever holds a token can rewrite a location, append a caveat and discharge it
   * himself, or put a ticket from one of his tokens into another.
   */
  readonly id: string
  readonly ticket: string
  /** Default and limit: what the primary gives, 90 days unless its `service_token_days` is less. */
  readonly ttlSeconds?: number
}

export interface ThirdPartyRequest {
  readonly name: string
  /** For a service that has this authority's revocations: its discharges ask that the presented tokens still stand. */
  readonly unrevoked?: boolean
}

export interface Signer {
  readonly createOrg: (name: string) => Promise<OrgCreateResult>
  readonly listOrgs: () => Promise<OrgListResult>
  /**
   * Mints a token. A caveat on a reserved key in another case (`OP = read`) is refused. Rejects with org_unknown, org_disabled, caveat_malformed, permission_denied, request_invalid, or an
   * error of kind `unavailable`; a `timeout` or `connection_lost` leaves open whether a token was made.
   */
  readonly mint: (request: MintRequest) => Promise<MintedToken>
  /** A new root key, which mints from now on; tokens of the one before stay good until it is retired. */
  readonly rotateKey: (org: string, options?: { readonly requestId?: string }) => Promise<RotateKeyResult>
  /** Revokes one token and everything made from it. Repeating it is harmless, here and below. */
  readonly revoke: (request: RevokeRequest) => Promise<RevokeResult<TokenRevoked>>
  /** Revokes what was issued to an org, or to a subject of it, up to a moment; what is minted later is not hit. */
  readonly revokeIssued: (request: RevokeIssuedRequest) => Promise<RevokeResult<SubjectRevoked | OrgRevoked>>
  /**
   * How many tokens a revocation of this org, key or subject would apply to, as far as their mints are on record, and which
   * other subjects look like it. Revoking itself counts nothing, and never waits for this.
   */
  readonly countTokens: (request: CountTokensParams) => Promise<TokensCounted>
  /** Ends every token of a root key. */
  readonly retireKey: (request: RetireKeyRequest) => Promise<RevokeResult<KeyRetired>>
  /** Ends every token of an org, for good: it mints no more. */
  readonly disableOrg: (request: DisableOrgRequest) => Promise<RevokeResult<OrgDisabled>>
  /** Whatever revocation hits a token or what it was made from, or is of an org, and where each binds now. */
  readonly showRevocations: (query: FindRevocationsParams) => Promise<ShownRevocations>
  /** What replicas refuse by of undone histories, and the primary does not take over by itself. For operators. */
  readonly pendingRevocations: (request?: Partial<PendingParams>) => Promise<PendingResult>
  /** Revokes some of it; repeat it until nothing is adopted any more. For operators. */
  readonly adoptRevocations: (selection: AdoptParams) => Promise<AdoptResult>
  /** Gives some of it up: tokens that nothing else revokes are accepted again. For operators. */
  readonly forgetRevocations: (selection: ForgetParams) => Promise<ForgetResult>
  /** Seals everything again with the primary's key-encryption key. For operators. */
  readonly rotateKek: (options?: { readonly force?: boolean }) => Promise<RotateKekResult>
  /**
   * The authority as a third party: a discharge for a ticket that was sealed to it, on the word of tokens that allow
   * what the ticket asks. It is good for their org only, and for less than a minute. Bind it to the token that bears the
   * ticket. Rejects with ticket_invalid, discharge_refused, token_refused.
   */
  readonly discharge: (request: DischargeParams) => Promise<DischargeResult>
  /**
   * A service token from a bundle with its login discharge: every caveat but that login, another expiry, and an end with
   * the token it was made from. Rejects with token_refused, permission_denied.
   */
  readonly exchange: (request: ExchangeRequest) => Promise<ExchangeResult>
  /** Gives a service a public key of this authority to seal its tickets to. For operators. */
  readonly addThirdParty: (request: ThirdPartyRequest) => Promise<ThirdPartyAddResult>
  readonly listThirdParties: () => Promise<ThirdPartyListResult>
  /** What was sealed to its key is discharged no more. For operators. */
  readonly removeThirdParty: (name: string) => Promise<ThirdPartyRemoveResult>
  /** Where a revocation binds now, by the position and the number that `revoke` answered with. */
  readonly coverage: (position: string, seq: number) => Promise<CoverageResult>
  readonly listRevocations: (request?: Partial<RevocationsParams>) => Promise<RevocationsResult>
  /** Lets calls in flight finish, then closes the connection. */
  readonly close: () => Promise<void>
}

const DAY_SECONDS = 86_400
const PAGE_ROWS = 100

export interface SignerParts {
  readonly timeoutMs: number
  readonly clock: Pick<Clock, 'monotonicMs'>
}

/** The signer's calls over a connection to the primary's `sign` channel. */
export function signerOver(client: PersistentClient, { timeoutMs, clock }: SignerParts): Signer {
  // The answers come from the pinned primary; their shape is the protocol's.
  const call = <T>(method: string, params: object): Promise<T> =>
    client.call(method, params, { timeoutMs }) as Promise<T>
  const revoked = async <T extends RevokeAnswer>(method: string, request: RevokeOptions): Promise<RevokeResult<T>> => {
    const { reason = '', wait = 'durable', onProgress, ...named } = request
    const answer = await call<RevokeResult<T>>(method, { ...named, reason, wait })
    if (wait !== 'global') return answer
    const ask = (params: CoverageParams): Promise<CoverageResult> => call('revocations.coverage', params)
    const { replicas } = await untilCovered(answer, { ask, nowMs: clock.monotonicMs, timeoutMs, onProgress })
    return { ...answer, replicas }
  }
  return {
    createOrg: (name) => call('org.create', { name }),
    listOrgs: () => call('org.list', {}),
    mint: async ({ caveats = [], ttlSeconds = DAY_SECONDS, org, subject, subjectAsIs = false }) => {
      if (!subjectAsIs) checkSubject(subject)
      const warnings = caveats.flatMap(checkOwnCaveat)
      const params: MintParams = { org, subject, caveats, ttlSeconds }
      return { ...(await call<MintResult>('token.mint', params)), warnings }
    },
    rotateKey: (org, { requestId } = {}) => call('org.rotate-key', { org, requestId }),
    revoke: (request) => revoked<TokenRevoked>('token.revoke', request),
    revokeIssued: (request) => revoked<SubjectRevoked | OrgRevoked>('issued.revoke', request),
    countTokens: (request) => call('tokens.count', request),
    retireKey: (request) => revoked<KeyRetired>('org.retire-key', request),
    disableOrg: (request) => revoked<OrgDisabled>('org.disable', request),
    showRevocations: (query) => showRevocations(call, query),
    pendingRevocations: ({ limit = PAGE_ROWS } = {}) => call('revocations.pending', { limit }),
    adoptRevocations: (selection) => call('revocations.adopt', selection),
    forgetRevocations: (selection) => call('revocations.forget', selection),
    rotateKek: ({ force = false } = {}) => call('kek.rotate', { force }),
    coverage: (position, seq) => call('revocations.coverage', { epoch: parsePosition(position).epoch, seq, waitMs: 0 }),
    discharge: ({ ticket, tokens }) => call('token.discharge', { ticket, tokens }),
    exchange: ({ token, strip, id, ticket, ttlSeconds = SERVICE_TTL_SECONDS_MAX }) =>
      call('token.exchange', { token, strip, id, ticket, ttlSeconds }),
    addThirdParty: ({ name, unrevoked = false }) => call('third-party.add', { name, unrevoked }),
    listThirdParties: () => call('third-party.list', {}),
    removeThirdParty: (name) => call('third-party.remove', { name }),
    listRevocations: ({ org, after = 0, limit = PAGE_ROWS } = {}) =>
      call('revocations.list', org === undefined ? { after, limit } : { org, after, limit }),
    close: () => client.close(),
  }
}
