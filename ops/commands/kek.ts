/** `kek generate` and `kek rotate`: make a key-encryption key (KEK), and seal all keys again with the primary's newest one. */
import type { Command } from 'commander'
import { addHelp } from '../arguments/help.ts'
import { mandatory } from '../arguments/options.ts'
import { profileOf, withSigner } from '../clients.ts'
import { MacaroondError } from '../../shared/errors.ts'
import type { Terminal } from '../terminal.ts'

export function addKek(parent: Command, terminal: Terminal): void {
  const kek = parent.command('kek').description('the key-encryption key, which seals every other key at rest')
  addGenerate(kek, terminal)
  addRotate(kek, terminal)
}

/** Adds `kek generate`. It needs no cluster: the operator carries the file to the nodes. */
function addGenerate(kek: Command, terminal: Terminal): void {
  const command = kek.command('generate').description('make a key-encryption key in a new file of mode 0600')
  mandatory(command, '--out <file>', 'where to write it; a file that exists is not overwritten')
  command.action(async ({ out }: { out: string }) => {
    const [{ writeSecret }, { kekFromHex }, { systemEntropy }] = await Promise.all([
      import('../../shared/files/write-secret.ts'),
      import('../../shared/sealing.ts'),
      import('../../shared/clock.ts'),
    ])
    const hex = systemEntropy.bytes(32).toString('hex')
    writeSecret(out, `${hex}\n`)
    const { id } = kekFromHex(hex)
    const text = `key-encryption key ${id} in ${out}`
    terminal.answer({ kek: id, file: out }, text, {
      what: `wrote ${text}`,
      next: 'the file is complete; do not repeat the command',
    })
  })
  addHelp(command, {
    examples: ['macaroond kek generate --out kek.new'],
    json: ['{"kek": "<8 hex digits>", "file"}', 'kek names the key and reveals nothing of it'],
  })
}

/**
 * Adds `kek rotate`. The primary refuses while a replica has not shown that it has the new key: after a restart that replica
 * could open no root key.
 */
function addRotate(kek: Command, terminal: Terminal): void {
  const command = kek
    .command('rotate')
    .description('seal every key again with the key-encryption key that the primary was started with')
    .option(
      '--force',
      'rotate although a replica has not shown that it has that key; after a restart such a replica opens no key until it gets it',
    )
    .action(async ({ force = false }: { force?: boolean }, own: Command) => {
      const rotated = await withSigner(profileOf(own, terminal.env), (signer) => signer.rotateKek({ force }))
      const { kek, resealed } = rotated
      if (resealed === 0) throw nothingNewer(kek)
      const text = `sealed again with key-encryption key ${kek}: ${resealed}`
      terminal.answer(rotated, text, { what: text, next: 'the rotation is complete; do not repeat the command' })
    })
  addHelp(command, {
    examples: [
      'macaroond kek generate --out kek.new   # to every node; then, in every configuration, kek.file = "kek.new" and',
      '                                 # [[kek.previous]] file = "kek"; restart the replicas, then the primary',
      'macaroond kek rotate',
    ],
    json: [
      '{"kek": "<8 hex digits>", "resealed": <count>, "position"}',
      'kek identifies the key and does not reveal it; keep the earlier key as long as an archive contains keys it sealed',
    ],
    exit: '1 with code kek_missing: a replica has not shown that it has the new key; 5 with code kek_unchanged: nothing to rotate to',
  })
}

/** An error and no success, because an operator who forgot to configure the new key would believe that it is in force. */
function nothingNewer(kek: string): MacaroondError {
  const message = `everything is sealed with key-encryption key ${kek} already, and the primary was started with no newer key`
  const hint =
    'if you wanted to change the key: put the new one into kek.file of every node, the present one under [[kek.previous]], restart replicas and primary, and repeat this'
  return new MacaroondError('kek_unchanged', message, { hint })
}
