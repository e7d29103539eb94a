/** The interface of an implementation of macaroons. Macaroons go in and out as text, in the formats it reads and writes. */
import type { MacaroonFormat } from '../../../shared/macaroon/format.ts'

export interface Implementation {
  readonly name: string
  /** Both read and written. */
  readonly formats: readonly MacaroonFormat[]
  readonly create: (request: CreateRequest) => Promise<string>
  readonly attenuate: (request: AttenuateRequest) => Promise<string>
  readonly thirdParty: (request: ThirdPartyRequest) => Promise<string>
  readonly bind: (request: BindRequest) => Promise<string>
  /** Whatever it throws for a macaroon that it refuses is a false. */
  readonly verify: (request: VerifyRequest) => Promise<boolean>
  readonly close: () => void
}

/** In which format to write the result. */
interface Written {
  readonly form: MacaroonFormat
}

export interface CreateRequest extends Written {
  readonly key: Uint8Array
  readonly identifier: Uint8Array
  readonly location: string
  readonly caveats: readonly Uint8Array[]
}

export interface AttenuateRequest extends Written {
  readonly macaroon: string
  readonly caveats: readonly Uint8Array[]
}

export interface ThirdPartyRequest extends Written {
  readonly macaroon: string
  readonly location: string
  readonly key: Uint8Array
  readonly ticket: Uint8Array
}

export interface BindRequest extends Written {
  readonly root: string
  readonly discharge: string
}

export interface VerifyRequest {
  readonly macaroon: string
  readonly discharges: readonly string[]
  readonly key: Uint8Array
  readonly exact: readonly Uint8Array[]
}
