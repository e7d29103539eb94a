/** A library of JavaScript in a process of its own: holds the specimens and repeats what it is asked to do with them. */
import type { MacaroonFormat } from '../../../shared/macaroon/format.ts'
import { serve } from '../process.ts'
import { ADDED, predicates, type Texts } from './specimen.ts'
import type { Operation } from './tasks.ts'

export interface Contender<M> {
  readonly create: (predicates: readonly string[]) => M
  /** In any format that this authority reads. */
  readonly write: (macaroon: M) => string
  readonly read: (text: string) => M
  /** Made once for these predicates: says whether a macaroon is authentic and its caveats are all among them. */
  readonly verifier: (predicates: readonly string[]) => (macaroon: M, discharges: M[]) => boolean
  readonly attenuate: (macaroon: M, predicate: string) => M
  readonly demand: (macaroon: M) => M
  readonly discharge: (root: M, predicates: readonly string[]) => M
}

export interface RunParams {
  readonly operation: Operation
  readonly form?: MacaroonFormat
  readonly caveats: number
  readonly milliseconds: number
}

export interface Presented {
  /** How many predicates the verifier knows. */
  readonly caveats: number
  readonly root: string
  readonly discharges: readonly string[]
}

interface Held<M> {
  readonly texts: Texts
  readonly predicates: readonly string[]
  readonly root: M
  readonly demanding: M
  readonly discharge: M
  readonly verify: (macaroon: M, discharges: M[]) => boolean
}

class Arena<M> {
  readonly #library: Contender<M>
  readonly #held = new Map<number, Held<M>>()

  constructor(library: Contender<M>) {
    this.#library = library
  }

  hold(texts: Texts): void {
    const { read, verifier } = this.#library
    this.#held.set(texts.caveats, {
      texts,
      predicates: predicates(texts.caveats),
      root: read(Object.values(texts.root)[0] ?? ''),
      demanding: read(texts.demanding),
      discharge: read(texts.discharge),
      verify: verifier(predicates(texts.caveats)),
    })
  }

  /** Nanoseconds of processor time that one takes, over at least so long. Batches double, so the clock costs nothing. */
  run({ operation, form, caveats, milliseconds }: RunParams): number {
    const held = this.#held.get(caveats)
    if (held === undefined) throw new Error('hold a specimen first')
    const work = this.#work(held, (form && held.texts.root[form]) ?? '')[operation]
    const startUs = cpuUs()
    let count = 0
    let elapsedUs = 0
    for (let batch = 1; elapsedUs < milliseconds * 1_000; batch *= 2) {
      for (let i = 0; i < batch; i += 1) if (work() === false) throw new Error(`a good token was refused: ${operation}`)
      count += batch
      elapsedUs = cpuUs() - startUs
    }
    return (elapsedUs * 1_000) / count
  }

  #work(held: Held<M>, text: string): Readonly<Record<Operation, () => M | boolean>> {
    const { read, attenuate, demand, discharge } = this.#library
    const { root, verify } = held
    return {
      parse: () => read(text),
      verify: () => verify(root, []),
      parse_verify: () => verify(read(text), []),
      attenuate: () => attenuate(root, ADDED),
      demand: () => demand(root),
      discharge: () => discharge(held.demanding, held.predicates),
      verify_discharged: () => verify(held.demanding, [held.discharge]),
    }
  }
}

const callsOf = <M>(library: Contender<M>, arena: Arena<M>) =>
  ({
    create: (caveats: number): string => library.write(library.create(predicates(caveats))),
    discharge: ({ demanding, caveats }: Texts): string =>
      library.write(library.discharge(library.read(demanding), predicates(caveats))),
    accepts: ({ caveats, root, discharges }: Presented): boolean =>
      library.verifier(predicates(caveats))(library.read(root), discharges.map(library.read)),
    hold: (texts: Texts): void => arena.hold(texts),
    run: (params: RunParams): number => arena.run(params),
  }) as const

export type ContenderCalls = ReturnType<typeof callsOf>

export function serveContender<M>(library: Contender<M>): void {
  serve(callsOf(library, new Arena(library)))
}

/** Of all threads of this process, those that collect its garbage too; what else the machine does stands outside of it. */
function cpuUs(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}
