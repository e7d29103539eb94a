/** `macaroond macaroon`: the commands for any macaroon of the libmacaroons family. They need no cluster. */
import type { Command } from 'commander'
import type { Terminal } from '../terminal.ts'
import { addMacaroonAttenuate } from './macaroon-attenuate.ts'
import { addMacaroonBind } from './macaroon-bind.ts'
import { addMacaroonConvert } from './macaroon-convert.ts'
import { addMacaroonCreate } from './macaroon-create.ts'
import { addMacaroonInspect } from './macaroon-inspect.ts'
import { addMacaroonThirdParty } from './macaroon-third-party.ts'
import { addMacaroonVerify } from './macaroon-verify.ts'

export function addMacaroon(parent: Command, terminal: Terminal): void {
  const macaroon = parent
    .command('macaroon')
    .description('work with any macaroon of the libmacaroons family, offline, with keys of your own')
  addMacaroonCreate(macaroon, terminal)
  addMacaroonAttenuate(macaroon, terminal)
  addMacaroonThirdParty(macaroon, terminal)
  addMacaroonBind(macaroon, terminal)
  addMacaroonInspect(macaroon, terminal)
  addMacaroonVerify(macaroon, terminal)
  addMacaroonConvert(macaroon, terminal)
}
