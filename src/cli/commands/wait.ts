import { Option } from 'commander'
import { BlyanError, isBlyanError } from '../../errors/index.ts'
import type { NodeStatus } from '../../node/index.ts'
import { type CommandContext, type RegisterCommand, wholeNumber } from '../context.ts'
import { connectToDaemon, DaemonError } from '../daemon-client.ts'

const pollEveryMs = 200
const readyTimeoutMs = 5000
const noteEveryMs = 5000

export const register: RegisterCommand = (command, context) => {
  command
    .addOption(new Option('--for <state>', 'what to wait for').choices(['ready']).default('ready'))
    .option('--timeout <seconds>', 'longest wait, also for a daemon to appear', wholeNumber(0, 86_400), 60)
    .action(async (options: { timeout: number }) => {
      const { output, paths } = context()
      const startedMs = Date.now()
      let notedMs = startedMs
      let reasons: readonly string[] = []
      do {
        const found = await look(paths())
        reasons = found.reasons
        if (found.ready) {
          const elapsedMs = Date.now() - startedMs
          const degraded = reasons.length > 0
          return output.answer({ ready: true, degraded, reasons, elapsedMs }, () =>
            degraded ? `ready, and degraded: ${reasons.join('; ')}` : 'ready'
          )
        }
        if (Date.now() - notedMs >= noteEveryMs) {
          notedMs = Date.now()
          output.note(`waiting: ${reasons.join('; ')}`)
        }
        await new Promise(resolve => setTimeout(resolve, pollEveryMs))
      } while (Date.now() - startedMs < options.timeout * 1000)
      throw new BlyanError('NOT_READY_IN_TIME', { timeoutSeconds: options.timeout, reasons: reasons.join('; ') })
    })
}

async function look(
  paths: ReturnType<CommandContext['paths']>
): Promise<{ readonly ready: boolean; readonly reasons: readonly string[] }> {
  try {
    const daemon = await connectToDaemon(paths)
    const { state, ready, reasons } = await daemon.json<Pick<NodeStatus, 'state' | 'ready' | 'reasons'>>({
      path: '/v0/status',
      timeoutMs: readyTimeoutMs
    })
    if (ready) return { ready, reasons }
    return { ready, reasons: [reasons.length === 0 ? `it is ${state}` : `it is ${state}: ${reasons.join('; ')}`] }
  } catch (error) {
    if (
      isBlyanError(error, 'DAEMON_NOT_REACHABLE') ||
      isBlyanError(error, 'DAEMON_TOO_SLOW') ||
      error instanceof DaemonError
    ) {
      return { ready: false, reasons: [error.message] }
    }
    throw error
  }
}
