/** Two kinds of options that commander lacks: required ones with good errors, and repeated ones. */
import type { Command } from 'commander'
import { MacaroondError } from '../../shared/errors.ts'

/**
 * A required option. Commander's own required options are checked before misspelt ones, so `--sbject` would be answered with
 * "--subject is missing" instead of "did you mean --subject".
 */
export function mandatory(command: Command, flags: string, description: string): Command {
  const option = command.createOption(flags, `${description} (required)`)
  return command.addOption(option).hook('preAction', (_, own) => {
    if (own.getOptionValue(option.attributeName()) !== undefined) return
    throw new MacaroondError('usage', `required option '${flags}' not specified`, { hint: 'see --help' })
  })
}

/** Collects an option that may be given more than once. */
export function repeated(value: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, value]
}
