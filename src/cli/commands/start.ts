import { addConfigFlags } from '../config-flags.ts'
import type { RegisterCommand } from '../context.ts'
import { startDaemon } from '../start-daemon.ts'
import { initialise, reportText } from './init.ts'

type StartOptions = { network?: string; init?: true; candidate?: true; repair?: true }

export const register: RegisterCommand = async (command, context) => {
  command
    .option('--network <name>', 'whose data folder to use, and with --init whose genesis file')
    .option('--candidate', 'with a validator key that no set knows yet: follow until the validators let it in')
    .option('--init', 'make first what is missing, as the command init does')
    .option('--repair', 'move the database aside first and fetch everything anew from peers')
  const flagsOf = await addConfigFlags(command)
  command.action(async (options: StartOptions) => {
    const used = context()
    const flags = flagsOf(options)
    if (options.init === true) used.output.note(reportText(await initialise(used, options.network, flags)))
    await startDaemon(used, options, flags)
  })
}
