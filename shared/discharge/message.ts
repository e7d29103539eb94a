/** The messages of the discharge protocol, parsed strictly. PROTOCOL.md specifies them. */
import { z } from 'zod'
import { BUNDLE_BYTES_MAX, CAVEAT_BYTES_MAX, ERROR_TEXT_CHARS_MAX, URL_CHARS_MAX } from '../limits.ts'
import { decodeBase64Url } from '../macaroon/base64url.ts'

/** Path below the location of the third party. */
export const DISCHARGE_PATH = '/.well-known/macaroond/3p'
/** Path below `DISCHARGE_PATH`; the poll secret follows. */
export const POLL_PATH = '/poll/'

export interface DischargeRequest {
  readonly ticket: Uint8Array
}

export interface UserInteraction {
  readonly user_url: string
  readonly poll_url: string
}

/** Exactly one member is present. */
export interface DischargeAnswer {
  /** The discharge in the text form of a token, not bound yet. */
  readonly discharge?: string | undefined
  readonly poll_url?: string | undefined
  readonly user_interactive?: UserInteraction | undefined
  readonly error?: { readonly code: string; readonly message: string } | undefined
}

const url = z.string().max(URL_CHARS_MAX)
const request = z.strictObject({ ticket: z.string().max(Math.ceil((CAVEAT_BYTES_MAX * 4) / 3)) })

/** Unknown members are ignored, so that a later version can add some. */
const answer: z.ZodType<DischargeAnswer> = z.object({
  discharge: z.string().max(BUNDLE_BYTES_MAX).optional(),
  poll_url: url.optional(),
  user_interactive: z.object({ user_url: url, poll_url: url }).optional(),
  error: z.object({ code: z.string().max(64), message: z.string().max(ERROR_TEXT_CHARS_MAX) }).optional(),
})

/** The ticket, or undefined if the text is not a valid request. */
export function readRequest(text: string): DischargeRequest | undefined {
  const parsed = request.safeParse(parseJson(text))
  const ticket = parsed.success ? decodeBase64Url(parsed.data.ticket) : undefined
  return ticket === undefined || ticket.length === 0 ? undefined : { ticket }
}

/** Undefined if the text is not an answer with exactly one member. */
export function readAnswer(text: string): DischargeAnswer | undefined {
  const parsed = answer.safeParse(parseJson(text))
  if (!parsed.success) return undefined
  const { discharge, poll_url, user_interactive, error } = parsed.data
  const said = [discharge, poll_url, user_interactive, error].filter((part) => part !== undefined)
  return said.length === 1 ? parsed.data : undefined
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
