/** The command line as a whole: the program, its commands, and what becomes of their errors. */
import { Command, CommanderError } from 'commander'
import { VERSION } from '../shared/version.ts'

const EXIT_USAGE = 2

export function program(): Command {
  return new Command('macaroond')
    .description('A self-hosted macaroon authority: mint at one primary, verify in every region, revoke everywhere.')
    .version(VERSION)
    .exitOverride()
}

/** Runs one command line, without the `node` and script names, and gives the exit status. */
export async function run(args: readonly string[]): Promise<number> {
  try {
    await program().parseAsync(args, { from: 'user' })
    return 0
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE
    throw error
  }
}
