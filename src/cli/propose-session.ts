import { BlyanError } from '../errors/index.ts'
import type { MiningLine } from '../node/index.ts'
import type { DaemonClient } from './daemon-client.ts'
import { corpusText, reasonText } from './learn-text.ts'
import { liveLines } from './live-lines.ts'
import { fields, type Output } from './output.ts'
import { createProgressBar } from './progress-bar.ts'

export type ProposeBody = {
  readonly folder: string
  readonly model: string | undefined
  readonly parts: readonly string[]
  readonly steps: number
  readonly bytesMax: number | undefined
}

const lineEverySteps = 25

/**
 * Has single experts trained and proposed, and tells what became of them. Throws what the daemon throws, PROPOSAL_REFUSED,
 * INTERRUPTED.
 */
export async function propose(session: {
  readonly daemon: DaemonClient
  readonly output: Output
  readonly body: ProposeBody
  readonly signal: AbortSignal
}): Promise<void> {
  const { daemon, output, body, signal } = session
  const bar = createProgressBar(process.stderr)
  const call = { method: 'POST', path: '/v0/learning/propose', body } as const
  let decided: Extract<MiningLine, { kind: 'decided' }> | undefined
  try {
    for await (const line of liveLines<MiningLine>(daemon, call, signal)) {
      if (line.kind === 'decided') decided = line
      if (output.json) await output.line(line, () => '')
      else if (line.kind === 'step' && process.stderr.isTTY === true)
        bar.show({ label: `loss ${line.lossNats.toFixed(4)}, step`, done: line.step, total: line.steps, unit: 'count' })
      else {
        bar.clear()
        await tell(output, line)
      }
    }
  } finally {
    bar.clear()
  }
  if (signal.aborted) throw new BlyanError('INTERRUPTED')
  if (decided !== undefined && decided.status !== 'published')
    throw new BlyanError('PROPOSAL_REFUSED', { candidate: decided.candidate, reason: reasonText(decided.reason) })
}

async function tell(output: Output, line: MiningLine): Promise<void> {
  switch (line.kind) {
    case 'corpus':
      return output.note(corpusText(line.corpus))
    case 'step':
      if (line.step === 1 || line.step === line.steps || line.step % lineEverySteps === 0)
        output.note(
          `step ${line.step} of ${line.steps}, loss ${line.lossNats.toFixed(4)} nats per token, ${Math.round(line.tokensPerSecond)} tokens/s`
        )
      return
    case 'trained':
      return output.answer(line, () =>
        fields([
          [
            'loss',
            `${line.beforeNats.toFixed(4)} before, ${line.afterNats.toFixed(4)} after, on held-out text of the folder`
          ],
          ...line.parts.map(({ name, base, tensor }) => [name, `${tensor} (was ${base})`] as const),
          ['try it', `blyan-node chat ${line.parts.map(({ name, tensor }) => `--part ${name}=${tensor}`).join(' ')}`]
        ])
      )
    case 'proposed':
      return output.note(`proposed as ${line.candidate} by event ${line.eventId}; validators measure it ...`)
    case 'decided':
      return output.answer(line, () =>
        fields([
          ['candidate', line.candidate],
          ['verdict', line.status === 'published' ? 'adopted: it is the newest version now' : line.status],
          ['reason', line.reason === 'none' ? null : reasonText(line.reason)],
          ['measured', measuredText(line)]
        ])
      )
  }
}

function measuredText({
  beforeNano,
  afterNano
}: {
  beforeNano: number | null
  afterNano: number | null
}): string | null {
  if (beforeNano === null || afterNano === null) return null
  return `${(beforeNano / 1e9).toFixed(4)} before, ${(afterNano / 1e9).toFixed(4)} after, in nats per token on text that nobody trains on`
}
