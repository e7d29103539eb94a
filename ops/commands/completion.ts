/** `macaroond completion`: a script that completes the words of every command in a shell. It is made from the commands. */
import type { Command } from 'commander'
import { MacaroondError } from '../../shared/errors.ts'
import { suggest } from '../../shared/suggest.ts'
import { addHelp } from '../arguments/help.ts'
import type { Terminal } from '../terminal.ts'

/** The words that may follow a command. */
interface Words {
  /** The command without `macaroond`, each word after a space; empty for `macaroond` itself. */
  readonly path: string
  readonly words: readonly string[]
}

const SCRIPTS: Readonly<Record<string, (commands: readonly Words[]) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
}
const SHELLS = Object.keys(SCRIPTS)

/** Adds `macaroond completion`. */
export function addCompletion(parent: Command, terminal: Terminal): void {
  const command = parent
    .command('completion')
    .description('print a script that completes commands and options in a shell')
    .argument('<shell>', SHELLS.join(', '))
    .action((shell: string) => {
      const script = scriptOf(shell)(wordsOf(parent, '', optionsOf(parent)))
      if (terminal.json) terminal.answer({ shell, script }, [])
      else terminal.print(script)
    })
  addHelp(command, {
    examples: [
      'source <(macaroond completion bash)',
      'macaroond completion zsh > ~/.zfunc/_macaroond',
      'macaroond completion fish > ~/.config/fish/completions/macaroond.fish',
    ],
    json: ['{"shell", "script"}'],
  })
}

/** Throws usage. */
function scriptOf(shell: string): (commands: readonly Words[]) => string {
  const script = Object.hasOwn(SCRIPTS, shell) ? SCRIPTS[shell] : undefined
  if (script !== undefined) return script
  const near = suggest(shell, SHELLS)
  throw new MacaroondError('usage', `completion is for ${SHELLS.join(', ')}, not ${shell.slice(0, 80)}`, {
    hint: near === undefined ? 'see --help' : `did you mean ${near}?`,
  })
}

/** The command and all below it. Every command also takes the options of `macaroond` itself. */
function wordsOf(command: Command, path: string, common: readonly string[]): readonly Words[] {
  const { commands } = command
  const own = path === '' ? [] : optionsOf(command)
  const words = [...commands.map((one) => one.name()), ...own, ...common, '--help']
  return [{ path, words }, ...commands.flatMap((one) => wordsOf(one, `${path} ${one.name()}`, common))]
}

function optionsOf(command: Command): readonly string[] {
  return command.options.flatMap(({ long }) => long ?? [])
}

/** All commands as patterns of a `case`. The three shells quote them alike. */
function patternsOf(commands: readonly Words[]): string[] {
  return commands.filter(({ path }) => path !== '').map(({ path }) => `'${path}'`)
}

function bashScript(commands: readonly Words[]): string {
  const cases = commands.map(({ path, words }) => `    '${path}') words='${words.join(' ')}' ;;`)
  return `# bash completion of macaroond
_macaroond() {
  local at='' word words=''
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$at $word" in
      ${patternsOf(commands).join(' | ')}) at="$at $word" ;;
    esac
  done
  case "$at" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _macaroond macaroond`
}

function zshScript(commands: readonly Words[]): string {
  const cases = commands.map(({ path, words }) => `    '${path}') compadd -- ${words.join(' ')} ;;`)
  return `#compdef macaroond
_macaroond() {
  local at='' word
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$at $word" in
      ${patternsOf(commands).join(' | ')}) at="$at $word" ;;
    esac
  done
  case "$at" in
${cases.join('\n')}
  esac
  _files
}
# zsh runs this file as the function when it loads it from $fpath; otherwise the file was sourced.
if [ "$funcstack[1]" = '_macaroond' ]; then _macaroond; else compdef _macaroond macaroond; fi`
}

function fishScript(commands: readonly Words[]): string {
  const cases = commands.map(({ path, words }) => `    case '${path}'\n      printf '%s\\n' ${words.join(' ')}`)
  return `# fish completion of macaroond
function __macaroond_words
  set -l at ''
  for word in (commandline -opc)[2..]
    switch "$at $word"
      case ${patternsOf(commands).join(' ')}
        set at "$at $word"
    end
  end
  switch "$at"
${cases.join('\n')}
  end
end
complete -c macaroond -a '(__macaroond_words)'`
}
