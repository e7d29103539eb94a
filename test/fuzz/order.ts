/** The messages to and from the fuzzing thread. */
import type { DecoderCoverage } from './coverage.ts'

export interface FuzzOrder {
  readonly seed: number
  readonly count: number
  /** Count of inputs begun, place of the target, length of the input (32 bits each); then the input itself. */
  readonly shared: SharedArrayBuffer
}

export const SHARED_HEADER_BYTES = 12

export interface FuzzReport {
  readonly inputs: number
  /** How often each way of ending was taken. */
  readonly outcomes: Readonly<Record<string, number>>
  /** The shortest input of each way of ending, in base64. */
  readonly shortest: Readonly<Record<string, string>>
  /** CPU time. */
  readonly slowestMs: number
  readonly slowestTarget: string
  /** CPU time of each target, in milliseconds. */
  readonly spentMs: Readonly<Record<string, number>>
  readonly bufferBytesMax: number
  readonly coverage: readonly DecoderCoverage[]
}
