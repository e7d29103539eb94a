/** A library in another process, whatever language it is written in. */
import type { MacaroonFormat } from '../../../shared/macaroon/format.ts'
import { Child } from '../process.ts'
import type { ContenderCalls, Presented, RunParams } from './contender.ts'
import type { Texts } from './specimen.ts'

export interface Library {
  readonly name: string
  /** Those it reads, the one for what is not parsed to be measured first. */
  readonly forms: readonly MacaroonFormat[]
  /** The root that it makes itself of so many caveats. */
  readonly create: (caveats: number) => Promise<string>
  /** The discharge that it makes itself, bound to the demanding one. */
  readonly discharge: (texts: Texts) => Promise<string>
  readonly accepts: (presented: Presented) => Promise<boolean>
  readonly hold: (texts: Texts) => Promise<void>
  /** Nanoseconds of processor time that one takes. */
  readonly run: (params: RunParams) => Promise<number>
  readonly end: () => Promise<void>
}

/** `script` is a file of this folder that serves a contender. */
export function libraryIn(script: string, name: string, forms: readonly MacaroonFormat[]): Library {
  const child = new Child<ContenderCalls>(`macaroons/${script}`)
  return {
    name,
    forms,
    create: (caveats) => child.call('create', caveats),
    discharge: (texts) => child.call('discharge', texts),
    accepts: (presented) => child.call('accepts', presented),
    hold: (texts) => child.call('hold', texts),
    run: (params) => child.call('run', params),
    end: () => child.end(),
  }
}
