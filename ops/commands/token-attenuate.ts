import type { Command } from 'commander'
import { systemClock } from '../../shared/clock.ts'
import { MacaroondError } from '../../shared/errors.ts'
import { attenuate } from '../../shared/macaroon/macaroon.ts'
import { decodeTokenText, encodeTokenText } from '../../shared/macaroon/text.ts'
import { checkOwnCaveat } from '../../shared/minting/caveat-mistakes.ts'
import { parseTtl } from '../arguments/duration.ts'
import { explain } from '../arguments/explain.ts'
import { repeated } from '../arguments/options.ts'
import { readToken } from '../arguments/standard-input.ts'
import type { Terminal } from '../terminal.ts'

interface AttenuateOptions {
  readonly caveat?: readonly string[]
  readonly ttl?: string
}

export function addAttenuate(token: Command, terminal: Terminal): void {
  const command = token
    .command('attenuate')
    .description('narrow a token from stdin, offline; the bare token goes to stdout')
    .option('--caveat <predicate>', 'a restriction, `key op value`; may be given more than once', repeated)
    .option('--ttl <duration>', 'let it end sooner: 30s, 5m, 24h or 7d from now')
    .action(async (options: AttenuateOptions) => {
      const caveats = caveatsOf(options)
      const warnings = caveats.flatMap(checkOwnCaveat)
      const narrowed = encodeTokenText(attenuate(decodeTokenText(await readToken(terminal)), caveats))
      terminal.answer({ token: narrowed, caveats, ...(warnings.length > 0 && { warnings }) }, narrowed)
      if (!terminal.json) for (const warning of warnings) terminal.say(`warning: ${warning}`)
    })
  explain(command, {
    examples: [
      "macaroond token attenuate --caveat 'op = read' --ttl 5m < token.txt > narrow.txt",
      "macaroond token attenuate --caveat 'path prefix /photos/' --caveat 'note = for bob' < token.txt",
    ],
    json: ['{"token": "mcn1_…", "caveats": [<those that were added>], "warnings"?: [<text>]}'],
  })
}

/** Throws usage when there is nothing to add. */
function caveatsOf({ caveat = [], ttl }: AttenuateOptions): readonly string[] {
  if (ttl === undefined && caveat.length === 0) {
    throw new MacaroondError('usage', 'there is nothing to add to the token', { hint: 'give --caveat, --ttl or both' })
  }
  if (ttl === undefined) return caveat
  const seconds = parseTtl(ttl)
  if (seconds > 0) return [...caveat, `time < ${Math.floor(systemClock.wallMs() / 1000) + seconds}`]
  throw new MacaroondError('usage', 'a token cannot be made to last for ever by narrowing it', {
    hint: 'leave --ttl out, or give a time such as 5m',
  })
}
