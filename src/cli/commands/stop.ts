import { BlyanError } from '../../errors/index.ts'
import { readApiAddress } from '../../node/index.ts'
import { type RegisterCommand, wholeNumber } from '../context.ts'

const pollEveryMs = 100

export const register: RegisterCommand = (command, context) => {
  command
    .option('--timeout <seconds>', 'longest wait for it to end', wholeNumber(0, 3600), 40)
    .action(async (options: { timeout: number }) => {
      const { output, daemon, paths } = context()
      const address = await readApiAddress(paths())
      await (await daemon()).json({ method: 'POST', path: '/v0/stop' })
      const endsMs = Date.now() + options.timeout * 1000
      // The address goes away when the data folder is released, the last thing a daemon does.
      while ((await readApiAddress(paths())) !== null) {
        if (Date.now() > endsMs)
          throw new BlyanError('DAEMON_TOO_SLOW', { what: 'the stop', timeoutMs: options.timeout * 1000 })
        await new Promise(resolve => setTimeout(resolve, pollEveryMs))
      }
      await output.answer({ stopped: true, pid: address?.pid ?? null }, () => 'stopped')
    })
}
