/** Runs inputs, one target after the other. Shared memory holds the present input for the watchdog. */
import { keptInputs } from './kept.ts'
import { mutate } from './mutate.ts'
import { type FuzzOrder, type FuzzReport, SHARED_HEADER_BYTES } from './order.ts'
import { Random } from './random.ts'
import { fuzzOne, type Target } from './target.ts'
import { TARGETS } from './targets/list.ts'

/** Inputs that ended in a way not seen before, by target; small, so that mutation stays near them. */
const KEPT_MAX = 400
const KEPT_BYTES_MAX = 12_288
const BUFFERS_LOOKED_AT = 1_024

export class Fuzzer {
  readonly #random: Random
  readonly #header: Int32Array
  readonly #current: Uint8Array
  readonly #inputs: ReadonlyMap<string, Buffer[]>
  readonly #outcomes = new Map<string, number>()
  readonly #shortest = new Map<string, Buffer>()
  readonly #spentMs = new Map<string, number>()
  #slowest: readonly [number, string] = [0, '']
  #bufferBytesMax = 0

  private constructor({ seed, shared }: FuzzOrder, inputs: ReadonlyMap<string, Buffer[]>) {
    this.#random = new Random(seed)
    this.#header = new Int32Array(shared, 0, SHARED_HEADER_BYTES / 4)
    this.#current = new Uint8Array(shared, SHARED_HEADER_BYTES)
    this.#inputs = inputs
  }

  static async start(order: FuzzOrder): Promise<Fuzzer> {
    const inputs = new Map<string, Buffer[]>()
    const kept = keptInputs()
    for (const target of TARGETS) {
      const seeds = await target.seeds()
      if (seeds.length === 0) throw new Error(`nothing to start from for ${target.name}`)
      inputs.set(target.name, [...seeds, ...kept.filter((one) => one.target === target.name).map(({ input }) => input)])
    }
    return new Fuzzer(order, inputs)
  }

  /** Seeds first, as they are: what they lead to is known then, whatever chance does. */
  async run(count: number): Promise<Omit<FuzzReport, 'coverage'>> {
    let done = 0
    for (const [index, target] of TARGETS.entries()) {
      const seeds = this.#inputsOf(target.name).slice(0, count - done)
      for (const seed of seeds) done += await this.#one(index, seed)
    }
    for (let round = 0; done < count; round += 1) {
      for (const [index, target] of TARGETS.entries()) {
        if (round % (target.every ?? 1) !== 0 || done >= count) continue
        done += await this.#one(index, this.#input(target))
        if (done % BUFFERS_LOOKED_AT === 0) this.#lookAtBuffers()
      }
    }
    return this.#report(done)
  }

  #report(inputs: number): Omit<FuzzReport, 'coverage'> {
    const [slowestMs, slowestTarget] = this.#slowest
    const shortest = Object.fromEntries(
      [...this.#shortest].map(([outcome, input]) => [outcome, input.toString('base64')]),
    )
    return {
      inputs,
      outcomes: Object.fromEntries(this.#outcomes),
      shortest,
      slowestMs,
      slowestTarget,
      spentMs: Object.fromEntries(this.#spentMs),
      bufferBytesMax: this.#bufferBytesMax,
    }
  }

  async #one(index: number, input: Buffer): Promise<1> {
    const target = TARGETS[index]!
    this.#announce(index, input)
    const started = process.threadCpuUsage()
    const outcome = await fuzzOne(target, input)
    const { user, system } = process.threadCpuUsage(started)
    const ms = (user + system) / 1_000
    this.#spentMs.set(target.name, (this.#spentMs.get(target.name) ?? 0) + ms)
    if (ms > this.#slowest[0]) this.#slowest = [ms, `${target.name}, ${input.length} bytes`]
    this.#remember(outcome, input, this.#inputsOf(target.name))
    return 1
  }

  #inputsOf(target: string): Buffer[] {
    return this.#inputs.get(target) ?? []
  }

  #input(target: Target): Buffer {
    const random = this.#random
    const varied = target.vary?.(random, (name) => this.#inputsOf(name))
    if (varied !== undefined) return varied
    const inputs = this.#inputsOf(target.name)
    const mutated = mutate(random.pick(inputs), inputs, random)
    return target.mend === undefined || random.below(3) === 0 ? mutated : target.mend(mutated)
  }

  #announce(index: number, input: Buffer): void {
    this.#current.set(input)
    Atomics.store(this.#header, 1, index)
    Atomics.store(this.#header, 2, input.length)
    Atomics.add(this.#header, 0, 1)
  }

  #remember(outcome: string, input: Buffer, inputs: Buffer[]): void {
    const seen = this.#outcomes.get(outcome) ?? 0
    this.#outcomes.set(outcome, seen + 1)
    if (input.length < (this.#shortest.get(outcome)?.length ?? Infinity))
      this.#shortest.set(outcome, Buffer.from(input))
    if (seen < 3 && input.length <= KEPT_BYTES_MAX && inputs.length < KEPT_MAX) inputs.push(Buffer.from(input))
  }

  #lookAtBuffers(): void {
    this.#bufferBytesMax = Math.max(this.#bufferBytesMax, process.memoryUsage().arrayBuffers)
  }
}
