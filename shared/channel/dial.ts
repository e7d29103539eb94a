/** Opens a connection to a server: link, handshake with the server's PeerId pinned, hello, welcome. It does not retry. */
import { type Clock, systemClock, type Timers } from '../clock.ts'
import { MacaroondError } from '../errors.ts'
import { channelLimits, type ChannelLimits } from './channel-limits.ts'
import type { ChannelName } from './channel-name.ts'
import { type Connection, WelcomedConnection } from './connection.ts'
import { decodeWelcome, encodeHello } from './hello.ts'
import type { JsonObject } from './json.ts'
import { tcp } from './tcp.ts'
import type { Link, LinkTarget, Transport } from './transport.ts'
import { Wire } from './wire.ts'

export interface DialOptions extends LinkTarget {
  readonly channel: ChannelName
  /** Fields of the hello. The whole message has at most `HELLO_BYTES_MAX` bytes. */
  readonly hello: JsonObject
  readonly signal?: AbortSignal
  readonly clock?: Clock & Timers
  readonly transport?: Transport
  readonly limits?: Partial<ChannelLimits>
}

/**
 * Throws connect_failed, connection_lost, timeout, handshake_failed, peer_mismatch, protocol_violation, closed (the signal
 * aborted), request_invalid (a bad address, or a hello that is too large), or the code that the server refused with.
 */
export async function dial(options: DialOptions): Promise<Connection> {
  const limits = channelLimits(options.limits)
  const hello = encodeHello(options.channel, options.hello)
  if (hello.byteLength > limits.helloBytesMax) throw helloTooLarge(hello.byteLength)
  const clock = options.clock ?? systemClock
  const link = await connect(options, clock, limits)
  const cancel = new AbortController()
  const stop = cancelAfter(cancel, clock, limits.handshakeTimeoutMs, options.signal)
  cancel.signal.addEventListener('abort', () => link.carrier.abort(asError(cancel.signal.reason)))
  try {
    return await exchangeHello(options.channel, { link, hello, clock, limits, signal: cancel.signal })
  } catch (error) {
    const reason: unknown = cancel.signal.aborted ? cancel.signal.reason : error
    link.carrier.abort(asError(reason))
    throw asError(reason)
  } finally {
    stop()
  }
}

interface HelloExchange {
  readonly link: Link
  readonly hello: Uint8Array
  readonly clock: Clock & Timers
  readonly limits: ChannelLimits
  readonly signal: AbortSignal
}

async function exchangeHello(channel: ChannelName, to: HelloExchange): Promise<Connection> {
  const { link, clock, limits, signal } = to
  const { secure, remotePeer } = await link.secure(signal)
  const wire = new Wire({ secure, carrier: link.carrier, clock, limits })
  wire.write(to.hello)
  const answer = await wire.next()
  if (answer === undefined) throw new MacaroondError('connection_lost', 'the server closed without an answer')
  const { software, fields } = decodeWelcome(answer)
  wire.welcome()
  return new WelcomedConnection(wire, {
    channel,
    remotePeer,
    remoteAddress: link.remoteAddress,
    remoteSoftware: software,
    hello: fields,
  })
}

async function connect(options: DialOptions, timers: Timers, limits: ChannelLimits): Promise<Link> {
  const cancel = new AbortController()
  const stop = cancelAfter(cancel, timers, limits.connectTimeoutMs, options.signal)
  try {
    return await (options.transport ?? tcp).connect(options, cancel.signal)
  } finally {
    stop()
  }
}

/** Aborts after the time, or with the caller's signal. Returns a function that stops the watch. */
function cancelAfter(
  cancel: AbortController,
  timers: Timers,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): () => void {
  const byCaller = (): void => cancel.abort(new MacaroondError('closed', 'the dial was cancelled'))
  const callOff = timers.after(timeoutMs, () => {
    cancel.abort(new MacaroondError('timeout', `the server did not answer within ${timeoutMs} ms`))
  })
  signal?.addEventListener('abort', byCaller)
  if (signal?.aborted === true) byCaller()
  return () => {
    callOff()
    signal?.removeEventListener('abort', byCaller)
  }
}

function helloTooLarge(bytes: number): MacaroondError {
  return new MacaroondError('request_invalid', `a hello of ${bytes} bytes is too large`)
}

function asError(cause: unknown): MacaroondError {
  if (cause instanceof MacaroondError) return cause
  return new MacaroondError('connection_lost', cause instanceof Error ? cause.message : 'the connection broke', {
    cause,
  })
}
