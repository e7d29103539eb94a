/**
 * `macaroond keygen`: makes the Noise identity of a node or a service in a file, and prints its PeerId. The file stays on its
 * machine. The PeerId is public, and the operator enters it in the configurations of the nodes that are dialled.
 */
import type { Command } from 'commander'
import { addHelp } from '../arguments/help.ts'
import { mandatory } from '../arguments/options.ts'
import type { Terminal } from '../terminal.ts'

export function addKeygen(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('keygen')
    .description('make a Noise identity in a new file of mode 0600, and print its PeerId')
  mandatory(command, '--out <file>', 'where to write it; a file that exists is not overwritten')
  command.action(async ({ out }: { out: string }) => {
    const { createIdentityFile } = await import('../../shared/channel/identity.ts')
    const { peerId } = await createIdentityFile(out)
    const what = `wrote an identity to ${out}, PeerId ${peerId}`
    terminal.answer({ peerId, file: out }, peerId, { what, next: 'the file is complete; do not repeat the command' })
  })
  addHelp(command, {
    examples: ['macaroond keygen --out worker.key'],
    json: ['{"peerId": "12D3Koo…", "file": "worker.key"}'],
  })
}
