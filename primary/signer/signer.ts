/** The signer's interface, and its implementation over a connection to the primary's `sign` channel. */
import { unlessOlder } from '../../shared/channel/older-node.ts'
import type { PersistentClient } from '../../shared/channel/persistent-client.ts'
import type { Clock } from '../../shared/clock.ts'
import { parsePosition } from '../../shared/position.ts'
import type { CoverageParams, CoverageResult } from '../../shared/protocol/coverage.ts'
import { SERVICE_TTL_SECONDS_MAX } from '../../shared/limits.ts'
import { cleanToken } from '../../shared/macaroon/paste.ts'
import { refuseUnknownOptions } from '../../shared/unknown-option.ts'
import { checkOwnCaveat } from '../../shared/minting/caveat-mistakes.ts'
import { checkSubject } from '../../shared/minting/subject.ts'
import type {
  FindRevocationsParams,
  KeyRetired,
  OrgDisabled,
  RevocationsParams,
  RevocationsResult,
  RevokeWait,
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
import type {
  ListTokensParams,
  ListTokensResult,
  MadeFromParams,
  MadeFromResult,
  ShowTokenResult,
} from '../../shared/protocol/tokens.ts'
import { listOrgs } from './list-orgs.ts'
import {
  type CountRequest,
  toWire,
  listFromWire,
  type ListedRevocations,
  type OrgCutOff,
  type RevocationAnswer,
  type RevocationResult,
  showRevocations,
  type ShownRevocations,
  type SubjectCutOff,
  fromWire,
  type ListedPendingRevocations,
} from './revocations.ts'
import { untilCovered } from './until-covered.ts'

export interface MintRequest {
  readonly org: string
  /**
   * The user or service that the token is for, at most 255 bytes. Subjects are compared byte by byte. So a subject must be in
   * NFC, without white space at its ends and without invisible characters: otherwise two that look alike would differ.
   */
  readonly subject: string
  /** True to skip these checks, for an existing name that does not pass them. */
  readonly subjectAsIs?: boolean
  readonly caveats?: readonly string[]
  /** Lifetime in seconds. Default 24 hours; 0 for a token that does not expire. */
  readonly ttlSeconds?: number
}

export interface MintedToken extends MintResult {
  /** One sentence for each caveat that probably does not mean what its author intended. */
  readonly warnings: readonly string[]
}

/** Options of every revocation. */
export interface RevokeOptions {
  readonly reason?: string
  /** Default `durable`. `global` resolves once no replica or worker accepts the token, at the latest after the bound. */
  readonly wait?: RevokeWait
  /**
   * Makes the call idempotent, so that a caller can retry if an answer was lost. A repeated id gives the first answer again,
   * also after a restart of the primary. The primary keeps the newest 10,000 answers. Rejects with request_conflict if the
   * content differs.
   */
  readonly requestId?: string
  /** With `global`: called about once a second with the replicas that are not covered yet. */
  readonly onProgress?: (soFar: CoverageResult) => void
}

/** The token to revoke, or its id. Only the token itself proves when it expires. */
export type RevokeRequest = ({ readonly token: string } | { readonly id: string }) & RevokeOptions

/** Revokes every token of an org, or of one subject of it, that was issued up to a time. */
export interface RevokeIssuedRequest extends RevokeOptions {
  readonly org: string
  readonly subject?: string
  /** Revokes what was issued up to this time, inclusive; unix milliseconds. Default: now. A time in the future is refused. */
  readonly issuedUpToMs?: number
}

export interface RetireKeyRequest extends RevokeOptions {
  readonly org: string
  /** Default: the only active key that no longer mints. */
  readonly kid?: string
}

export interface DisableOrgRequest extends RevokeOptions {
  readonly org: string
}

export interface ExchangeRequest {
  /** A bundle: the token with the discharge of its login. */
  readonly token: string
  /** Location of the login's third-party caveat, which the service token drops. */
  readonly strip: string
  /**
   * Id of the token that the login caveat was added to, and the ticket of that caveat (its caveat id, base64url). Record both
   * when you add the caveat. Only the two together identify the login: a holder can rewrite a location, append a caveat that
   * the holder can discharge, or copy a ticket to another token.
   */
  readonly id: string
  readonly ticket: string
  /** Default and maximum: the primary's `service_token_days`, which is 90 days unless configured lower. */
  readonly ttlSeconds?: number
}

export interface ThirdPartyRequest {
  readonly name: string
  /**
   * True to add an `unrevoked` caveat for each presented token to the discharges. The service can clear it only if it receives
   * this authority's revocations.
   */
  readonly unrevoked?: boolean
}

/** The tokens to list, and where to continue: `after` is `next` of the last page. */
export type ListTokensRequest = Omit<ListTokensParams, 'after' | 'limit'> &
  Partial<Pick<ListTokensParams, 'after' | 'limit'>>

export type MadeFromRequest = Pick<MadeFromParams, 'id'> & Partial<MadeFromParams>

/** Every call rejects with request_invalid for an option that it does not have. */
export interface Signer extends AsyncDisposable {
  readonly createOrg: (name: string) => Promise<OrgCreateResult>
  readonly listOrgs: () => Promise<OrgListResult>
  /**
   * Mints a token. A caveat on a reserved key in another case (`OP = read`) is refused. Rejects with org_unknown, org_disabled,
   * caveat_malformed, permission_denied, request_invalid, or an error of kind `unavailable`. After `timeout` and
   * `connection_lost` a token may exist although the caller has no answer.
   */
  readonly mint: (request: MintRequest) => Promise<MintedToken>
  /** Makes a new root key, which mints from now on. Tokens of the previous key stay good until that key is retired. */
  readonly rotateKey: (org: string, options?: { readonly requestId?: string }) => Promise<RotateKeyResult>
  /** Revokes one token and everything made from it. Repeating a revocation does no harm. */
  readonly revoke: (request: RevokeRequest) => Promise<RevocationResult<TokenRevoked>>
  /** Revokes what was issued to an org, or to a subject of it, up to a time. Later tokens stay good. */
  readonly revokeIssued: (request: RevokeIssuedRequest) => Promise<RevocationResult<SubjectCutOff | OrgCutOff>>
  /**
   * Counts the tokens that a revocation of this org, key or subject would apply to, from the records of mints, and lists
   * subjects that resemble the given one. A revocation never waits for a count.
   */
  readonly countTokens: (request: CountRequest) => Promise<TokensCounted>
  /**
   * One page of the tokens of an org, from the records of mints, oldest first. A page may be empty and still have `next`,
   * because one call reads a limited number of records.
   */
  readonly listTokens: (request: ListTokensRequest) => Promise<ListTokensResult>
  /** The record of one token: subject, expiry, state, who issued it and when. Rejects with key_unknown, request_invalid. */
  readonly showToken: (id: string) => Promise<ShowTokenResult>
  /** One page of the service tokens that were made from a token. A page may be empty and still have `next`. */
  readonly tokensMadeFrom: (request: MadeFromRequest) => Promise<MadeFromResult>
  /** Revokes every token of a root key. */
  readonly retireKey: (request: RetireKeyRequest) => Promise<RevocationResult<KeyRetired>>
  /** Revokes every token of an org. No token can be minted for the org afterwards. This cannot be undone. */
  readonly disableOrg: (request: DisableOrgRequest) => Promise<RevocationResult<OrgDisabled>>
  /** Finds the revocations that apply to a token and its ancestors, or those of an org, and where each binds now. */
  readonly showRevocations: (query: FindRevocationsParams) => Promise<ShownRevocations>
  /**
   * Lists pending revocations: a restore has undone them, replicas still enforce them, and an operator must decide. For
   * operators.
   */
  readonly pendingRevocations: (request?: Partial<PendingParams>) => Promise<ListedPendingRevocations>
  /** Adopts pending revocations, a limited number in each call: repeat it until it adopts none. For operators. */
  readonly adoptRevocations: (selection: AdoptParams) => Promise<AdoptResult>
  /** Forgets pending revocations: tokens that no other revocation denies are accepted again. For operators. */
  readonly forgetRevocations: (selection: ForgetParams) => Promise<ForgetResult>
  /** Reseals every secret with the first configured key-encryption key of the primary. For operators. */
  readonly rotateKek: (options?: { readonly force?: boolean }) => Promise<RotateKekResult>
  /**
   * Asks the authority, as a third party, to discharge a ticket that was sealed to it. The presented tokens must allow the
   * access that the ticket names. The discharge is good for their org only, and for less than a minute. Bind it to the token
   * that holds the ticket. Rejects with ticket_invalid, discharge_refused, token_refused.
   */
  readonly discharge: (request: DischargeParams) => Promise<DischargeResult>
  /**
   * Exchanges a token with its login discharge for a service token. The service token keeps every caveat except that login,
   * and has its own expiry. A revocation of the token it was made from revokes it too. Rejects with token_refused,
   * permission_denied.
   */
  readonly exchange: (request: ExchangeRequest) => Promise<ExchangeResult>
  /** Registers a service, and returns the public key that it seals its tickets to. For operators. */
  readonly addThirdParty: (request: ThirdPartyRequest) => Promise<ThirdPartyAddResult>
  readonly listThirdParties: () => Promise<ThirdPartyListResult>
  /** Removes a service. Tickets that were sealed to its key can no longer be discharged. For operators. */
  readonly removeThirdParty: (name: string) => Promise<ThirdPartyRemoveResult>
  /** Lists the replicas where a revocation binds now. The answer of `revoke` contains its position and number. */
  readonly coverage: (position: string, seq: number) => Promise<CoverageResult>
  readonly listRevocations: (request?: Partial<RevocationsParams>) => Promise<ListedRevocations>
  /** Lets calls in flight finish, then closes the connection. `await using` does the same. */
  readonly close: () => Promise<void>
}

const DAY_SECONDS = 86_400
const PAGE_ROWS = 100

export interface SignerParts {
  readonly timeoutMs: number
  readonly clock: Pick<Clock, 'monotonicMs'>
}

/** The options of the calls that pick them by name. The primary itself refuses unknown options of the other calls. */
const OPTIONS = {
  mint: ['org', 'subject', 'subjectAsIs', 'caveats', 'ttlSeconds'],
  rotateKey: ['requestId'],
  tokensMadeFrom: ['id', 'after', 'limit'],
  pendingRevocations: ['limit'],
  rotateKek: ['force'],
  discharge: ['ticket', 'tokens'],
  exchange: ['token', 'strip', 'id', 'ticket', 'ttlSeconds'],
  addThirdParty: ['name', 'unrevoked'],
  listRevocations: ['org', 'after', 'limit'],
} as const

function known<T extends object>(call: keyof typeof OPTIONS, request: T): T {
  refuseUnknownOptions(call, request, OPTIONS[call])
  return request
}

/** A signer over a connection to the primary's `sign` channel. */
export function signerOver(
  client: Pick<PersistentClient, 'call' | 'close'>,
  { timeoutMs, clock }: SignerParts,
): Signer {
  // The answers come from the pinned primary, so their shape is not checked.
  const call = <T>(method: string, params: object): Promise<T> =>
    client.call(method, params, { timeoutMs }) as Promise<T>
  const callNewer = <T>(method: string, params: object): Promise<T> =>
    unlessOlder('the primary', method, () => call<T>(method, params))
  const revokeWith = async <T extends RevocationAnswer>(
    method: string,
    request: RevokeOptions,
  ): Promise<RevocationResult<T>> => {
    const { reason = '', wait = 'durable', onProgress, ...named } = request
    const params = toWire({ ...named, reason, wait })
    const answer = fromWire<RevocationResult<T>>(await call<object>(method, params))
    if (wait !== 'global') return answer
    const ask = (params: CoverageParams): Promise<CoverageResult> => call('revocations.coverage', params)
    const { replicas } = await untilCovered(answer, { ask, nowMs: clock.monotonicMs, timeoutMs, onProgress })
    return { ...answer, replicas }
  }
  return {
    createOrg: (name) => call('org.create', { name }),
    listOrgs: () => listOrgs(call),
    mint: async (request) => {
      const { caveats = [], ttlSeconds = DAY_SECONDS, org, subject, subjectAsIs = false } = known('mint', request)
      if (!subjectAsIs) checkSubject(subject)
      const warnings = caveats.flatMap(checkOwnCaveat)
      const params: MintParams = { org, subject, caveats, ttlSeconds }
      return { ...(await call<MintResult>('token.mint', params)), warnings }
    },
    rotateKey: async (org, options = {}) => {
      const { requestId } = known('rotateKey', options)
      return call('org.rotate-key', { org, requestId })
    },
    revoke: async (request) => revokeWith<TokenRevoked>('token.revoke', cleaned(request)),
    revokeIssued: (request) => revokeWith<SubjectCutOff | OrgCutOff>('issued.revoke', request),
    countTokens: (request) => call('tokens.count', toWire(request)),
    listTokens: ({ after = '', limit = PAGE_ROWS, ...request }) =>
      callNewer('tokens.list', { ...request, after, limit }),
    showToken: (id) => callNewer('token.show', { id }),
    tokensMadeFrom: async (request) => {
      const { id, after = '', limit = PAGE_ROWS } = known('tokensMadeFrom', request)
      return callNewer('tokens.made-from', { id, after, limit })
    },
    retireKey: (request) => revokeWith<KeyRetired>('org.retire-key', request),
    disableOrg: (request) => revokeWith<OrgDisabled>('org.disable', request),
    showRevocations: async (query) => showRevocations(call, cleaned(query)),
    ...operatorCalls(call),
    coverage: (position, seq) => call('revocations.coverage', { epoch: parsePosition(position).epoch, seq, waitMs: 0 }),
    ...thirdPartyCalls(call),
    listRevocations: async (request = {}) => {
      const { org, after = 0, limit = PAGE_ROWS } = known('listRevocations', request)
      const params = org === undefined ? { after, limit } : { org, after, limit }
      return listFromWire(await call<RevocationsResult>('revocations.list', params))
    },
    close: () => client.close(),
    [Symbol.asyncDispose]: () => client.close(),
  }
}

type Call = <T>(method: string, params: object) => Promise<T>

type OperatorCalls = 'pendingRevocations' | 'adoptRevocations' | 'forgetRevocations' | 'rotateKek'

function operatorCalls(call: Call): Pick<Signer, OperatorCalls> {
  return {
    pendingRevocations: async (request = {}) => {
      const { limit = PAGE_ROWS } = known('pendingRevocations', request)
      return listFromWire(await call<PendingResult>('revocations.pending', { limit }))
    },
    adoptRevocations: (selection) => call('revocations.adopt', selection),
    forgetRevocations: (selection) => call('revocations.forget', selection),
    rotateKek: async (options = {}) => {
      const { force = false } = known('rotateKek', options)
      return call('kek.rotate', { force })
    },
  }
}

type ThirdPartyCalls = 'discharge' | 'exchange' | 'addThirdParty' | 'listThirdParties' | 'removeThirdParty'

function thirdPartyCalls(call: Call): Pick<Signer, ThirdPartyCalls> {
  return {
    discharge: async (request) => {
      const { tokens, ...rest } = known('discharge', request)
      return call('token.discharge', { ...rest, tokens: tokens.map(cleanToken) })
    },
    exchange: async (request) => {
      const { token, strip, id, ticket, ttlSeconds = SERVICE_TTL_SECONDS_MAX } = known('exchange', request)
      return call('token.exchange', { token: cleanToken(token), strip, id, ticket, ttlSeconds })
    },
    addThirdParty: async (request) => {
      const { name, unrevoked = false } = known('addThirdParty', request)
      return call('third-party.add', { name, unrevoked })
    },
    listThirdParties: () => call('third-party.list', {}),
    removeThirdParty: (name) => call('third-party.remove', { name }),
  }
}

/** The request with its token, if it has one, as `cleanToken` returns it. Throws token_malformed. */
function cleaned<T extends object>(request: T): T {
  return 'token' in request && typeof request.token === 'string'
    ? { ...request, token: cleanToken(request.token) }
    : request
}
