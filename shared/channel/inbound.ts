/** Turns one incoming link into a connection: handshake, hello, the decision, then a welcome or a refusal. */
import type { Clock, Timers } from '../clock.ts'
import { type ErrorReport, fromReport, MacaroondError } from '../errors.ts'
import type { PeerIdText } from '../ids.ts'
import type { ChannelLimits } from './channel-limits.ts'
import type { ChannelName } from './channel-name.ts'
import { type Connection, WelcomedConnection } from './connection.ts'
import { publicReport } from './error-report.ts'
import { decodeHello, encodeRefusal, encodeWelcome, type Hello } from './hello.ts'
import type { JsonObject } from './json.ts'
import type { Link } from './transport.ts'
import { Wire } from './wire.ts'

/** The answer to a hello: a welcome with its fields, or a refusal. */
export type Acceptance =
  | { readonly ok: true; readonly welcome: JsonObject }
  | { readonly ok: false; readonly error: ErrorReport }

/** Decides about a peer. Only `peer` is proven; the rest is claimed. An internal error refuses, without its text. */
export type Accept = (
  peer: PeerIdText,
  channel: ChannelName,
  hello: JsonObject,
  remoteAddress: string,
) => Acceptance | Promise<Acceptance>

export interface InboundOptions {
  readonly link: Link
  readonly signal: AbortSignal
  readonly clock: Clock & Timers
  readonly limits: ChannelLimits
  readonly accept: Accept
}

/** Facts known of a peer so far, for the log. */
export interface Progress {
  remotePeer?: PeerIdText
  channel?: ChannelName
}

/** Time in which a refused peer can read the refusal before its socket is closed. */
const REFUSAL_CLOSE_MS = 1_000

/** Resolves with the welcomed connection. Otherwise it throws, after sending the refusal if the handshake had succeeded. */
export async function acceptLink(options: InboundOptions, progress: Progress): Promise<Connection> {
  const { link, signal, clock, limits } = options
  link.carrier.limitReceived(limits.handshakeBytesMax)
  const { secure, remotePeer } = await link.secure(signal)
  progress.remotePeer = remotePeer
  const wire = new Wire({ secure, carrier: link.carrier, clock, limits })
  try {
    const hello = await readHello(wire)
    progress.channel = hello.channel
    return await answer(wire, hello, remotePeer, options)
  } catch (error) {
    await refuse(wire, error)
    throw error
  }
}

async function readHello(wire: Wire): Promise<Hello> {
  const message = await wire.next()
  if (message === undefined) throw new MacaroondError('connection_lost', 'the peer closed before its hello')
  return decodeHello(message)
}

async function answer(wire: Wire, hello: Hello, remotePeer: PeerIdText, options: InboundOptions): Promise<Connection> {
  const { channel, software, fields } = hello
  const acceptance = await options.accept(remotePeer, channel, fields, options.link.remoteAddress)
  options.signal.throwIfAborted()
  if (!acceptance.ok) throw fromReport(acceptance.error)
  const welcome = encodeWelcome(acceptance.welcome)
  // The dialer accepts at most this many bytes as its first message.
  if (welcome.byteLength > options.limits.helloBytesMax) throw new Error(`a welcome of ${welcome.byteLength} bytes`)
  wire.write(welcome)
  wire.welcome()
  return new WelcomedConnection(wire, {
    channel,
    remotePeer,
    remoteAddress: options.link.remoteAddress,
    remoteSoftware: software,
    hello: fields,
  })
}

async function refuse(wire: Wire, error: unknown): Promise<void> {
  wire.write(encodeRefusal(publicReport(error)))
  await wire.close(REFUSAL_CLOSE_MS)
}
