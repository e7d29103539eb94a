/** The interface of a fuzz target, and the names of its outcomes. */
import { isDeepStrictEqual } from 'node:util'
import { type ErrorCode, MacaroondError } from '../../shared/errors.ts'
import type { Random } from './random.ts'

export interface Target {
  readonly name: string
  /** Where mutation starts: what the product's own writers write. */
  readonly seeds: () => readonly Buffer[] | Promise<readonly Buffer[]>
  /** Says how it ended, in words that are the same for inputs that took the same way. Throws if a promise is broken. */
  readonly run: (input: Buffer) => string | Promise<string>
  /** How an input may be refused. */
  readonly codes: readonly ErrorCode[]
  /** Makes checksums or signatures hold again: without it nothing would get past them. */
  readonly mend?: (input: Buffer) => Buffer
  /** An input of another kind than a mutation; undefined for one of those. */
  readonly vary?: (random: Random, inputsOf: (target: string) => readonly Buffer[]) => Buffer | undefined
  /** What costs more than most is tried in one of so many rounds. */
  readonly every?: number
  /** Refusals are told apart by their code alone: their words quote the input, or what a stranger said. */
  readonly plain?: true
  /** Words that a run must have come to, or it says nothing of what is behind them. */
  readonly reach: readonly string[]
}

/** Longer messages differ in what they quote. */
const MESSAGE_CHARS = 72

export async function fuzzOne(target: Target, input: Buffer): Promise<string> {
  try {
    const ended = target.run(input)
    return `${target.name}: ${typeof ended === 'string' ? ended : await ended}`
  } catch (error) {
    if (!(error instanceof MacaroondError) || !target.codes.includes(error.code)) throw error
    return `${target.name}: ${error.code}${target.plain === true ? '' : ` ${wordsOf(error.message)}`}`
  }
}

/** Which check it was: what a message quotes, and its numbers, are as many as inputs. */
function wordsOf(message: string): string {
  const plain = message
    .replaceAll(/"[^"]*("|$)/gs, '"…"')
    .replaceAll(/\/\S*fuzz-\S*?(?=[\s:]|$)/g, 'FILE')
    .replaceAll(/0x[0-9a-f]+|[0-9]+/g, '#')
    .replaceAll(/[^ -~…]/g, '?')
  return plain.slice(0, MESSAGE_CHARS)
}

/** For what must be the same after it was written and read again. */
export function requireSame(found: unknown, expected: unknown, what: string): void {
  if (!isDeepStrictEqual(asJson(found), asJson(expected))) throw new Error(what)
}

const asJson = (value: unknown): unknown =>
  JSON.parse(JSON.stringify([value], (_, part: unknown) => (typeof part === 'bigint' ? `${part}n` : part)))

export function requireBytes(found: Uint8Array, expected: Uint8Array, what: string): void {
  if (Buffer.compare(found, expected) !== 0) throw new Error(what)
}

/** None, one, or several: how many there were is no way of its own. */
export function countText(count: number): string {
  return count > 1 ? 'several' : ['none', 'one'][count]!
}
