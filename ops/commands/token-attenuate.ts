/** `token attenuate`: adds caveats to a token, offline. It checks that the caveats are ones that macaroond understands. */
import type { Command } from 'commander'
import { systemClock } from '../../shared/clock.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { attenuate } from '../../shared/macaroon/attenuate.ts'
import { decodeTokenText, encodeTokenText } from '../../shared/macaroon/text.ts'
import { checkOwnCaveat } from '../../shared/minting/caveat-mistakes.ts'
import type { Expiry } from '../../shared/macaroon/expiry.ts'
import { expiryOf, expiryText } from '../arguments/expiry.ts'
import { endTime, parseTtl, shortTimeText } from '../arguments/times.ts'
import { addHelp } from '../arguments/help.ts'
import { repeated } from '../arguments/options.ts'
import { readToken } from '../arguments/standard-input.ts'
import type { Terminal } from '../terminal.ts'

interface AttenuateOptions {
  readonly caveat?: readonly string[]
  readonly ttl?: string
}

/** Adds `token attenuate`. It checks caveats before the token is read, so that a mistake costs no second paste. */
export function addAttenuate(token: Command, terminal: Terminal): void {
  const command = token
    .command('attenuate')
    .description('narrow a token from stdin, offline; the bare token goes to stdout')
    .option('--caveat <predicate>', 'a restriction, `key op value`; may be given more than once', repeated)
    .option('--ttl <duration>', 'let it expire sooner: 30s, 5m, 24h, 7d or 1w from now, by the clock of this machine')
    .action(async ({ caveat = [], ttl }: AttenuateOptions) => {
      const seconds = secondsOf(caveat, ttl)
      const ofCaveats = caveat.flatMap(checkOwnCaveat)
      const token = decodeTokenText(await readToken(terminal))
      const end = seconds === undefined ? undefined : endTime(token, seconds, systemClock.wallMs())
      const caveats = end === undefined ? caveat : [...caveat, `time < ${end.endsAt}`]
      const warnings = [...ofCaveats, ...(end?.warnings ?? [])]
      const result = attenuate(token, caveats)
      const narrowed = encodeTokenText(result)
      const document = { token: narrowed, caveats, ...(end !== undefined && { endsAt: end.endsAt }) }
      terminal.answer({ ...document, ...(warnings.length > 0 && { warnings }) }, narrowed)
      if (terminal.json) return
      for (const warning of warnings) terminal.say(`warning: ${warning}`)
      const expiry = expiryOf(result)
      if (end !== undefined || expiry?.caveat !== undefined) terminal.say(expiresText(expiry, end?.endsAt))
    })
  addHelp(command, {
    examples: [
      "macaroond token attenuate --caveat 'op = read' --ttl 5m < token.txt > narrow.txt",
      "macaroond token attenuate --caveat 'path prefix /photos/' --caveat 'note = for bob' < token.txt",
    ],
    json: [
      '{"token": "mcn1_…", "caveats": [<the added ones>], "endsAt"?: <unix seconds, with --ttl>, "warnings"?: [<text>]}',
    ],
  })
}

/** Without `--ttl` the caveat that is the reason is named; the caveat of `--ttl` itself would say nothing new. */
function expiresText(expiry: Expiry | undefined, endsAt: number | undefined): string {
  const isOwn = expiry !== undefined && expiry.caveat === `time < ${endsAt}`
  return `expires at ${isOwn ? shortTimeText(expiry.atMs) : expiryText(expiry)}`
}

/** The seconds of `--ttl`, if it is given. Throws usage if neither a caveat nor `--ttl` is given. */
function secondsOf(caveats: readonly string[], ttl: string | undefined): number | undefined {
  if (ttl === undefined && caveats.length > 0) return undefined
  if (ttl === undefined) {
    throw new MacaroondError('usage', 'there is nothing to add to the token', { hint: 'give --caveat, --ttl or both' })
  }
  const seconds = parseTtl(ttl)
  if (seconds > 0) return seconds
  throw new MacaroondError('usage', 'attenuation cannot make a token that never expires', {
    hint: 'leave --ttl out, or give a time such as 5m',
  })
}
