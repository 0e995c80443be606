import { Option } from 'commander'
import { BlyanError, isBlyanError } from '../../errors/index.ts'
import { type CommandContext, type RegisterCommand, wholeNumber } from '../context.ts'
import { connectToDaemon, DaemonError } from '../daemon-client.ts'

const pollEveryMs = 200
const readyTimeoutMs = 5000

export const register: RegisterCommand = (command, context) => {
  command
    .addOption(new Option('--for <state>', 'what to wait for').choices(['ready']).default('ready'))
    .option('--timeout <seconds>', 'longest wait, also for a daemon to appear', wholeNumber(0, 86_400), 60)
    .action(async (options: { timeout: number }) => {
      const { output, paths } = context()
      const startedMs = Date.now()
      let reasons: readonly string[] = []
      do {
        reasons = await notReadyReasons(paths())
        if (reasons.length === 0) {
          const elapsedMs = Date.now() - startedMs
          return output.answer({ ready: true, elapsedMs }, () => 'ready')
        }
        await new Promise(resolve => setTimeout(resolve, pollEveryMs))
      } while (Date.now() - startedMs < options.timeout * 1000)
      throw new BlyanError('NOT_READY_IN_TIME', { timeoutSeconds: options.timeout, reasons: reasons.join('; ') })
    })
}

async function notReadyReasons(paths: ReturnType<CommandContext['paths']>): Promise<readonly string[]> {
  try {
    const daemon = await connectToDaemon(paths)
    const { state, nextStep } = await daemon.json<{ state: string; nextStep: string | null }>({
      path: '/v0/status',
      timeoutMs: readyTimeoutMs
    })
    return state === 'ready' ? [] : [nextStep === null ? `it is ${state}` : `it is ${state}: ${nextStep}`]
  } catch (error) {
    if (
      isBlyanError(error, 'DAEMON_NOT_REACHABLE') ||
      isBlyanError(error, 'DAEMON_TOO_SLOW') ||
      error instanceof DaemonError
    ) {
      return [error.message]
    }
    throw error
  }
}
