/** Runs the inputs. What it is at stands in shared memory, for whoever watches it. */
import { parentPort, workerData } from 'node:worker_threads'
import { type Corpus, readCorpus } from './corpus.ts'
import { mutate, reframed } from './mutate.ts'
import { type FuzzOrder, type FuzzReport, SHARED_HEADER_BYTES } from './order.ts'
import { Random } from './random.ts'
import { fuzzOne, type TargetName, TARGETS } from './targets.ts'

/** Inputs that ended in a way not seen before, by target; small, so that mutation stays near them. */
const KEPT_MAX = 400
const KEPT_BYTES_MAX = 4_096

class Fuzzer {
  readonly #random: Random
  readonly #header: Int32Array
  readonly #current: Uint8Array
  readonly #inputs: Map<TargetName, Buffer[]>
  readonly #outcomes = new Map<string, number>()
  #slowest: readonly [number, string] = [0, '']
  #bufferBytesMax = 0

  constructor({ seed, shared }: FuzzOrder, corpus: Corpus) {
    this.#random = new Random(seed)
    this.#header = new Int32Array(shared, 0, SHARED_HEADER_BYTES / 4)
    this.#current = new Uint8Array(shared, SHARED_HEADER_BYTES)
    this.#inputs = new Map(TARGETS.map((target) => [target, [...corpus[target]]]))
  }

  run(count: number): FuzzReport {
    for (let i = 0; i < count; i += 1) {
      this.#one(i % TARGETS.length)
      if (i % 1_024 === 0) this.#bufferBytesMax = Math.max(this.#bufferBytesMax, process.memoryUsage().arrayBuffers)
    }
    const [slowestMs, slowestTarget] = this.#slowest
    const outcomes = Object.fromEntries(this.#outcomes)
    return { inputs: count, outcomes, slowestMs, slowestTarget, bufferBytesMax: this.#bufferBytesMax }
  }

  #one(index: number): void {
    const target = this.#random.pick(TARGETS.slice(index, index + 1))
    const inputs = this.#inputs.get(target) ?? []
    const input = this.#input(target, inputs)
    this.#announce(index, input)
    const started = process.threadCpuUsage()
    const outcome = fuzzOne(target, input)
    const { user, system } = process.threadCpuUsage(started)
    const ms = (user + system) / 1_000
    if (ms > this.#slowest[0]) this.#slowest = [ms, `${target}, ${input.length} bytes`]
    this.#remember(outcome, input, inputs)
  }

  /** What has a checksum or base64 round it is mutated inside of it as well, or nothing would get past that. */
  #input(target: TargetName, inputs: readonly Buffer[]): Buffer {
    const random = this.#random
    const framed = (target === 'text' || target === 'bundle') && random.below(2) === 0
    if (!framed) return mutate(random.pick(inputs), inputs, random)
    const binary = this.#inputs.get(random.pick(['v1', 'v2', 'v2j'])) ?? []
    const parts = Array.from({ length: target === 'text' ? 1 : 2 + random.below(3) }, () => {
      const part = random.pick(binary)
      return reframed(random.below(3) === 0 ? mutate(part, binary, random) : part, random)
    })
    return Buffer.from(parts.join('~'))
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
    if (seen < 3 && input.length <= KEPT_BYTES_MAX && inputs.length < KEPT_MAX) inputs.push(Buffer.from(input))
  }
}

const order = workerData as FuzzOrder
parentPort?.postMessage(new Fuzzer(order, readCorpus()).run(order.count))
