import type { FlagValues, InitialiseReport } from '../../node/index.ts'
import { importInitialise } from '../../node/index.ts'
import { addConfigFlags } from '../config-flags.ts'
import { type CommandContext, passwordSource, type RegisterCommand } from '../context.ts'
import { genesisFor } from '../genesis-source.ts'
import { coloured, faint, printable } from '../output.ts'

export const register: RegisterCommand = async (command, context) => {
  command.option('--network <name>', 'a network that comes with this version; or give its --genesis file')
  const flagsOf = await addConfigFlags(command)
  command.action(async (options: { network?: string }) => {
    const report = await initialise(context(), options.network, flagsOf(options))
    await context().output.answer(report, () => reportText(report))
  })
}

/** What `init` and `start --init` both do. */
export async function initialise(
  context: CommandContext,
  network: string | undefined,
  flags: FlagValues
): Promise<InitialiseReport> {
  const { 'network.genesisFile': genesisFile, ...settings } = flags
  const { initialiseDataFolder } = await importInitialise()
  return initialiseDataFolder({
    path: context.paths(network).root,
    genesis: await genesisFor({ network, file: genesisFile as string | undefined }),
    settings,
    env: context.env,
    password: passwordSource(context.passwordFile ?? null)
  })
}

export function reportText(report: InitialiseReport): string {
  const lines = report.items.map(({ item, state, path, note }) => {
    const colour = state === 'missing' ? 'yellow' : 'green'
    return `${coloured(colour, state.padEnd(7))}  ${item.padEnd(14)}  ${printable(path)}${note === null ? '' : faint(`  ${printable(note)}`)}`
  })
  return [...lines, '', `next: ${report.nextStep}`].join('\n')
}
