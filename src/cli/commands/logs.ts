import { Argument } from 'commander'
import type { RegisterCommand } from '../context.ts'

const levels = ['silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace']

export const register: RegisterCommand = (command, context) => {
  command
    .command('level')
    .summary('change how much a component logs, while the daemon runs')
    .argument('<component>', 'its name as the log shows it, or "*" for all')
    .addArgument(new Argument('<level>', 'how much').choices(levels))
    .action(async (component: string, level: string) => {
      const { output, daemon } = context()
      const result = await (await daemon()).json({ method: 'PUT', path: '/v0/log-level', body: { component, level } })
      await output.answer(result, () => `${component} logs at ${level}`)
    })
}
