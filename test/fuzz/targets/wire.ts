/** Bytes after the handshake: frames, and the first message each way. */
import { deframe, frame } from '../../../shared/channel/framing.ts'
import { CHANNELS, type ChannelName } from '../../../shared/channel/channel-name.ts'
import { decodeHello, decodeWelcome, encodeHello, encodeRefusal, encodeWelcome } from '../../../shared/channel/hello.ts'
import { Intake } from '../../../shared/channel/intake.ts'
import type { JsonObject } from '../../../shared/channel/json.ts'
import { type ErrorCode, isErrorCode, MacaroondError } from '../../../shared/errors.ts'
import { HELLO_BYTES_MAX } from '../../../shared/limits.ts'
import { feedHello, feedWelcome } from '../../../shared/protocol/feed.ts'
import { revocationsHello, revocationsWelcome } from '../../../shared/protocol/revocations.ts'
import { walHello, walWelcome } from '../../../shared/protocol/wal.ts'
import { signPosition } from '../../../shared/protocol/signed-position.ts'
import { positionText } from '../../../shared/position.ts'
import { AUTHORITY, CLUSTER, POSITION, TIMELINE } from '../fixed.ts'
import { piecesOf } from '../pieces.ts'
import { countText, requireBytes, requireSame, type Target } from '../target.ts'

const MESSAGE_BYTES_MAX = 64 * 1024
const BOOT = 'cd'.repeat(16)

const HELLOS: Readonly<Partial<Record<ChannelName, JsonObject>>> = {
  wal: {
    position: positionText(POSITION),
    timeline: TIMELINE,
    signed: signPosition(AUTHORITY.privateKey, CLUSTER, { position: POSITION, timeline: TIMELINE }),
    revocations: { timeline: TIMELINE, seq: 5 },
    boot: BOOT,
  },
  revocations: { timeline: TIMELINE, seq: 5, boot: BOOT, keks: ['00aa11bb'] },
  feed: { boot: BOOT, timeline: null, seq: 0 },
}

const WELCOMES: readonly JsonObject[] = [
  { position: positionText(POSITION), timeline: TIMELINE },
  { boot: BOOT, region: 'fra', pingMs: 250 },
  {
    timeline: TIMELINE,
    epoch: 3,
    seq: 9,
    boot: BOOT,
    pingMs: 250,
    boundMs: 5_101,
    clockRateError: 0.005,
  },
]

const hellos = (): readonly Buffer[] => CHANNELS.map((name) => Buffer.from(encodeHello(name, HELLOS[name] ?? {})))

const welcomes = (): readonly Buffer[] => [
  ...WELCOMES.map((fields) => Buffer.from(encodeWelcome(fields))),
  Buffer.from(encodeRefusal({ code: 'overloaded', message: 'too many', hint: 'later', retryAfterMs: 1_000 })),
]

const framed = (messages: readonly Uint8Array[]): Buffer =>
  Buffer.concat(messages.map((message) => frame(message).subarray()))

interface Taken {
  readonly messages: readonly Uint8Array[]
  readonly error: MacaroondError | undefined
}

/** Through the way in of a connection, in pieces as they may come from a socket. */
async function takenIn(pieces: readonly Buffer[]): Promise<Taken> {
  let error: MacaroondError | undefined
  const intake = new Intake({
    queueBytesMax: MESSAGE_BYTES_MAX * 4,
    messageBytesMax: MESSAGE_BYTES_MAX,
    helloBytesMax: HELLO_BYTES_MAX,
    hold: () => undefined,
    release: () => undefined,
    onViolation: (violation) => (error = violation),
  })
  for (const piece of pieces) intake.push(piece)
  intake.end()
  const messages: Uint8Array[] = []
  try {
    for await (const message of intake.messages()) messages.push(message)
  } catch (thrown) {
    if (thrown !== error) throw thrown
  }
  return { messages, error }
}

/** Frames have one encoding: those that were read, written again, are where they came from. */
async function requireCanonical(input: Buffer): Promise<void> {
  let at = 0
  try {
    for await (const message of deframe([input] as never, () => 2 ** 27)) {
      const again = frame(message.subarray()).subarray()
      requireBytes(input.subarray(at, at + again.length), again, 'a second encoding of a frame was accepted')
      at += again.length
      // Of heartbeats that come together one comes out.
      while (message.byteLength === 0 && input[at] === 0) at += 1
    }
  } catch (error) {
    if (!(error instanceof MacaroondError) && (error as Error).name !== 'UnexpectedEOFError') throw error
  }
}

const textsOf = ({ messages }: Taken): readonly string[] =>
  messages.map((message) => Buffer.from(message).toString('latin1'))

async function runFrames(input: Buffer): Promise<string> {
  await requireCanonical(input)
  const whole = await takenIn([input])
  const parted = await takenIn(piecesOf(input))
  requireSame(textsOf(parted), textsOf(whole), 'other messages come out of other pieces')
  requireSame(parted.error?.message, whole.error?.message, 'other errors come out of other pieces')
  if (whole.messages.some(({ length }) => length > MESSAGE_BYTES_MAX)) throw new Error('a message beyond the limit')
  if (whole.error !== undefined) throw whole.error
  return countText(whole.messages.length)
}

/** Their fields are checked by whoever has the channel. */
function runHello(input: Buffer): string {
  const { channel, fields } = decodeHello(input)
  const again = decodeHello(encodeHello(channel, fields))
  requireSame([again.channel, again.fields], [channel, fields], 'a hello reads differently when written again')
  const schema = {
    wal: walHello,
    revocations: revocationsHello,
    feed: feedHello,
    verify: null,
    sign: null,
    admin: null,
  }
  const known = schema[channel]?.safeParse(fields).success
  return `${channel} ${known === undefined ? '' : known}`.trimEnd()
}

function runWelcome(input: Buffer): string {
  try {
    const { fields } = decodeWelcome(input)
    requireSame(decodeWelcome(encodeWelcome(fields)).fields, fields, 'a welcome reads differently when written again')
    const known = [walWelcome, revocationsWelcome, feedWelcome].findIndex((schema) => schema.safeParse(fields).success)
    return `welcome ${['of wal', 'of revocations', 'of feed'][known] ?? 'of others'}`
  } catch (error) {
    if (!(error instanceof MacaroondError) || error.code === 'protocol_violation') throw error
    if (!isErrorCode(error.code)) throw new Error('a refusal with a code of its own', { cause: error })
    return 'refusal'
  }
}

const violations: readonly ErrorCode[] = ['protocol_violation']

export const WIRE_TARGETS: readonly Target[] = [
  {
    name: 'frames',
    seeds: () => [
      framed(hellos().slice(0, 2)),
      framed([...welcomes(), Buffer.alloc(0)]),
      framed([Buffer.alloc(300, 1)]),
    ],
    run: runFrames,
    codes: ['protocol_violation', 'connection_lost'],
    every: 4,
    reach: ['one', 'several', 'protocol_violation', 'connection_lost'],
  },
  {
    name: 'hello',
    seeds: hellos,
    run: runHello,
    codes: ['protocol_violation', 'peer_refused'],
    reach: ['wal true', 'wal false', 'feed true', 'revocations true', 'sign'],
  },
  {
    name: 'welcome',
    seeds: welcomes,
    run: runWelcome,
    codes: violations,
    reach: ['welcome of wal', 'welcome of revocations', 'welcome of feed', 'refusal'],
  },
]
