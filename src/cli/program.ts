import { Command, CommanderError } from 'commander'
import { BlyanError } from '../errors/index.ts'
import type { Environment } from '../node/index.ts'
import { commandTable } from './command-table.ts'
import { type CommandContext, createContext, type GlobalOptions } from './context.ts'
import { describeFailure } from './daemon-client.ts'
import { packageVersion } from './version.ts'

/** Runs one command line and gives its exit code. Never throws. */
export async function runCommandLine(args: readonly string[], env: Environment): Promise<number> {
  const program = createProgram()
  try {
    const context = (): CommandContext => createContext(program.opts<GlobalOptions>(), env)
    const called = commandNameOf(args)
    for (const { name, summary, load } of commandTable) {
      const command = program.command(name).summary(summary).description(summary)
      if (name === called) await (await load()).register(command, context)
    }
    if (args.length === 0) program.outputHelp()
    else await program.parseAsync(args, { from: 'user' })
    return Number(process.exitCode ?? 0)
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0
    return report(error instanceof CommanderError ? usageError(error, program) : error, args)
  }
}

function createProgram(): Command {
  return new Command('blyan-node')
    .description('One node of the Blyan network: events, finality, tensors, experts.')
    .version(packageVersion(), '-V, --version')
    .option('--json', 'answers as JSON on stdout, everything for people on stderr')
    .option('--data <folder>', 'data folder of the node (or BLYAN_DATA)', collected)
    .option('--password-file <file>', 'file whose first line opens the keys (or BLYAN_PASSWORD_FILE)')
    .option('--verbose', 'show where an error comes from')
    .helpCommand(true)
    .showSuggestionAfterError(true)
    .exitOverride()
    .configureOutput({ writeErr: () => {}, outputError: () => {} })
    .configureHelp({ showGlobalOptions: true })
}

function collected(folder: string, before: readonly string[] = []): readonly string[] {
  return [...before, folder]
}

/** The first word that is neither an option nor the value of one: only that command's file is loaded. */
function commandNameOf(args: readonly string[]): string | undefined {
  const words: string[] = []
  for (let index = 0; index < args.length; index++) {
    const arg = args[index]!
    if (arg === '--data' || arg === '--password-file') index++
    else if (!arg.startsWith('-')) words.push(arg)
  }
  return words[0] === 'help' ? words[1] : words[0]
}

function usageError(error: CommanderError, program: Command): BlyanError {
  if (error.code === 'commander.help') {
    const called = commandNameOf(program.args) ?? ''
    const command = program.commands.find(candidate => candidate.name() === called)
    const names = command?.commands.map(candidate => candidate.name()).join(', ')
    return new BlyanError('USAGE', {
      reason: `"${called}" needs one of: ${names}`,
      hint: `see "blyan-node ${called} --help"`
    })
  }
  const [first = '', ...rest] = error.message.replace(/^error: /, '').split('\n')
  const suggestion = rest.join(' ').replace(/[()]/g, '').trim()
  return new BlyanError('USAGE', {
    reason: first.slice(0, 300),
    hint: suggestion === '' ? 'see "blyan-node --help"' : suggestion
  })
}

function report(error: unknown, args: readonly string[]): number {
  const { code, message, nextStep, exitCode } = describeFailure(error)
  const isJson = args.includes('--json')
  if (isJson) process.stdout.write(`${JSON.stringify({ error: { code, message, nextStep } })}\n`)
  else process.stderr.write(`${code}: ${message}\n${nextStep}\n`)
  if (args.includes('--verbose')) process.stderr.write(`${stackOf(error)}\n`)
  return exitCode
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause === undefined ? String(error.stack) : `${error.stack}\ncaused by: ${stackOf(error.cause)}`
}
