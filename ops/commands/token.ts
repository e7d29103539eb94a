/** `macaroond token`: the commands for tokens of this authority. */
import type { Command } from 'commander'
import type { Terminal } from '../terminal.ts'
import { addAttenuate } from './token-attenuate.ts'
import { addDischarge } from './token-discharge.ts'
import { addExchange } from './token-exchange.ts'
import { addRevoke } from './revoke.ts'
import { addInspect } from './token-inspect.ts'
import { addList } from './token-list.ts'
import { addMint } from './token-mint.ts'
import { addShowToken } from './token-show.ts'
import { addVerify } from './token-verify.ts'

export function addToken(parent: Command, terminal: Terminal): void {
  const token = parent
    .command('token')
    .description('mint, verify, list, show, revoke, attenuate, discharge, exchange and inspect tokens')
  addMint(token, terminal)
  addVerify(token, terminal)
  addList(token, terminal)
  addShowToken(token, terminal)
  addRevoke(token, terminal)
  addAttenuate(token, terminal)
  addInspect(token, terminal)
  addDischarge(token, terminal)
  addExchange(token, terminal)
}
