/** `macaroon bind`: binds discharges to their root macaroon, offline, and prints the bundle for a verifier. */
import type { Command } from 'commander'
import { MacaroondError } from '../../shared/errors.ts'
import { bindDischarge } from '../../shared/macaroon/bind.ts'
import type { TextFormat } from '../../shared/macaroon/text-codec.ts'
import { addHelp } from '../arguments/help.ts'
import type { Terminal } from '../terminal.ts'
import { readMacaroons } from './macaroon-input.ts'
import { printed, withFormat } from './macaroon-output.ts'

/** Adds `macaroon bind`. Binding is the last step: a bound discharge serves only this root in this form. */
export function addMacaroonBind(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('bind')
    .description(
      'bind discharges to their root and print them joined with ~; reads the root, then the discharges, from stdin',
    )
  withFormat(command, 'that of each macaroon').action(async ({ format }: { readonly format?: TextFormat }) => {
    const [root, ...discharges] = await readMacaroons(terminal)
    if (discharges.length === 0) {
      throw new MacaroondError('bundle_malformed', 'there is no discharge after the root', {
        hint: 'give the root first, then its discharges: one a line, or joined with ~',
      })
    }
    // A discharge of a discharge is bound to the root too, never to the discharge that needs it.
    const bound = discharges.map((discharge) => ({
      ...discharge,
      macaroon: bindDischarge(root.macaroon, discharge.macaroon),
    }))
    const texts = [root, ...bound].map((one) => printed(one.macaroon, format ?? one.format))
    terminal.answer({ bundle: texts.join('~'), macaroons: texts }, texts.join('~'))
  })
  addHelp(command, {
    examples: ['cat root.txt discharge.txt | macaroond macaroon bind > bundle.txt'],
    json: ['{"bundle": <joined with ~>, "macaroons": [<root>, <discharge>, …]}'],
  })
}
