/** `macaroond version`: the version of this program, and the versions that decide which nodes it works with. */
import type { Command } from 'commander'
import { PROTOCOL_VERSION } from '../../shared/channel/protocol-version.ts'
import { SCHEMA_VERSION } from '../../shared/database/schema.ts'
import { VERSION } from '../../shared/version.ts'
import { addHelp } from '../arguments/help.ts'
import type { Terminal } from '../terminal.ts'

/** Adds `macaroond version`. It asks no node; `status` has the versions of the nodes. */
export function addVersion(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('version')
    .description('show the version of this program, its protocol and its schema')
    .action(() => {
      const { node } = process.versions
      terminal.answer(
        { version: VERSION, protocol: PROTOCOL_VERSION, schema: SCHEMA_VERSION, node },
        `macaroond ${VERSION}, protocol ${PROTOCOL_VERSION}, schema ${SCHEMA_VERSION}, Node ${node}`,
      )
    })
  addHelp(command, {
    examples: ['macaroond version'],
    json: [
      '{"version", "protocol": <number>, "schema": <number>, "node"}',
      'nodes of one protocol understand each other; a node refuses a database of a newer schema',
    ],
  })
}
