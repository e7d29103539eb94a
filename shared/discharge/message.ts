/** What goes over the wire between who needs a discharge and who gives it. PROTOCOL.md has the whole of it. */
import { z } from 'zod'
import { BUNDLE_BYTES_MAX, CAVEAT_BYTES_MAX, ERROR_TEXT_CHARS_MAX, URL_CHARS_MAX } from '../limits.ts'
import { decodeBase64Url } from '../macaroon/base64url.ts'

/** Behind the location of the third party. */
export const DISCHARGE_PATH = '/.well-known/macaroond/3p'
/** Behind the former; the poll secret follows. */
export const POLL_PATH = '/poll/'

export interface DischargeRequest {
  readonly ticket: Uint8Array
}

export interface UserInteraction {
  readonly user_url: string
  readonly poll_url: string
}

/** Exactly one of them is there. */
export interface DischargeAnswer {
  /** In the text form of a token, not bound to anything. */
  readonly discharge?: string | undefined
  readonly poll_url?: string | undefined
  readonly user_interactive?: UserInteraction | undefined
  readonly error?: { readonly code: string; readonly message: string } | undefined
}

const url = z.string().max(URL_CHARS_MAX)
const request = z.strictObject({ ticket: z.string().max(Math.ceil((CAVEAT_BYTES_MAX * 4) / 3)) })

/** Members that a later version adds are not looked at. */
const answer: z.ZodType<DischargeAnswer> = z.object({
  discharge: z.string().max(BUNDLE_BYTES_MAX).optional(),
  poll_url: url.optional(),
  user_interactive: z.object({ user_url: url, poll_url: url }).optional(),
  error: z.object({ code: z.string().max(64), message: z.string().max(ERROR_TEXT_CHARS_MAX) }).optional(),
})

/** The ticket, or undefined for everything that is no request. */
export function readRequest(text: string): DischargeRequest | undefined {
  const parsed = request.safeParse(parseJson(text))
  const ticket = parsed.success ? decodeBase64Url(parsed.data.ticket) : undefined
  return ticket === undefined || ticket.length === 0 ? undefined : { ticket }
}

/** Undefined for what is no answer, or more than one. */
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
