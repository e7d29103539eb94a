import type { Command } from 'commander'
import { explain } from '../arguments/explain.ts'
import { profileOf, withSigner } from '../clients.ts'
import type { Terminal } from '../terminal.ts'

export function addKek(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('kek')
    .description('the key-encryption key, which seals every other key at rest')
    .command('rotate')
    .description('seal everything again with the key-encryption key that the primary was started with')
    .option('--force', 'although a replica has not shown that it has that key: it stops until it gets it')
    .action(async ({ force = false }: { force?: boolean }, own: Command) => {
      const rotated = await withSigner(profileOf(own, terminal.env), (signer) => signer.rotateKek({ force }))
      const { kek, resealed } = rotated
      terminal.answer(
        rotated,
        resealed === 0
          ? `everything is sealed with key-encryption key ${kek} already`
          : `sealed again with key-encryption key ${kek}: ${resealed}`,
      )
    })
  explain(command, {
    examples: [
      'openssl rand -hex 32 > kek.new   # to every node; then, in every configuration, kek.file = "kek.new" and',
      '                                 # [[kek.previous]] file = "kek"; restart the replicas, then the primary',
      'macaroond kek rotate',
    ],
    json: [
      '{"kek": "<8 hex digits>", "resealed": <count>, "position"}',
      'kek names the key and reveals nothing of it; the earlier one is needed as long as an archive holds what it sealed',
    ],
    exit: '1 with code kek_missing: a replica has not shown that it has the new key',
  })
}
