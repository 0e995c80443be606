import type { LearnerStatus, LearningStatus } from '../node/index.ts'
import { formatCoins } from './amounts.ts'
import { type DaemonClient, DaemonError } from './daemon-client.ts'
import { corpusText, learningText, outcomeText, progressLine } from './learn-text.ts'
import { createLiveBlock, type LiveBlock } from './live-block.ts'
import { liveLines } from './live-lines.ts'
import { faint, type Output } from './output.ts'

export type LearnBody = {
  readonly folder: string
  readonly model: string | undefined
  readonly parts: readonly string[] | undefined
  readonly codec: string | undefined
  readonly bytesMax: number | undefined
}

export type LearnSession = {
  readonly daemon: DaemonClient
  readonly output: Output
  readonly body: LearnBody
  /** Ends once a delta of this node was decided. */
  readonly once: boolean
  /** Ends it: learning is stopped, and what was done is told. */
  readonly signal: AbortSignal
}

/** Reading a large folder takes a while. */
const startTimeoutMs = 30 * 60_000
const stopTimeoutMs = 120_000
const lineEveryMs = 10_000
const redrawEveryMs = 1000

/** Learns until it is ended, and tells how it goes. Throws what starting throws, what failed later, DAEMON_GONE. */
export async function learn(session: LearnSession): Promise<void> {
  const { daemon } = session
  const { learner } = await daemon.json<LearningStatus>({ path: '/v0/learning' })
  return new FollowedLearning(session, learner).run()
}

class FollowedLearning {
  readonly #session: LearnSession
  /** What this node learned before this command, if it did. */
  readonly #before: LearnerStatus | null
  readonly #block: LiveBlock = createLiveBlock(process.stderr)
  readonly #ending = new AbortController()
  #status: LearningStatus | undefined
  #seenAtMs = 0
  #lineAtMs = Number.NEGATIVE_INFINITY
  /** Deltas that were decided before this command saw anything. */
  readonly #decidedBefore: number
  #decidedTold: number
  #isCorpusTold = false

  constructor(session: LearnSession, before: LearnerStatus | null) {
    this.#session = session
    this.#before = before
    this.#decidedBefore = before === null ? 0 : decidedOf(before)
    this.#decidedTold = this.#decidedBefore
  }

  async run(): Promise<void> {
    const { signal, daemon } = this.#session
    const leave = (): void => this.#ending.abort()
    signal.addEventListener('abort', leave, { once: true })
    if (signal.aborted) leave()
    const timer = setInterval(() => this.#redraw(), redrawEveryMs)
    const beginning = this.#begin()
    beginning.catch(leave)
    let wasStopped = false
    try {
      const call = { path: '/v0/learning/stream' }
      for await (const status of liveLines<LearningStatus>(daemon, call, this.#ending.signal)) {
        wasStopped = status.learner === null && this.#hasBegun
        await this.#take(status)
        if (wasStopped || this.#isDone(status)) break
      }
    } finally {
      clearInterval(timer)
      signal.removeEventListener('abort', leave)
      this.#block.clear()
    }
    if (!signal.aborted) await beginning
    if (wasStopped) this.#session.output.note('learning was stopped from elsewhere')
    else await this.#stop()
  }

  get #hasBegun(): boolean {
    return this.#before !== null || (this.#status !== undefined && this.#status.learner !== null)
  }

  /** Throws LEARNING_RUNNING where this node learns from another folder. */
  async #begin(): Promise<void> {
    const { body, daemon, output } = this.#session
    if (this.#before?.folder === body.folder) {
      output.note(`this node learns from ${body.folder} already; here is how`)
      return
    }
    await daemon.json({ method: 'POST', path: '/v0/learning/start', body, timeoutMs: startTimeoutMs })
  }

  #isDone({ learner }: LearningStatus): boolean {
    return this.#session.once && learner !== null && decidedOf(learner) > this.#decidedBefore
  }

  async #take(status: LearningStatus): Promise<void> {
    const { output } = this.#session
    const stateBefore = this.#status?.state
    this.#status = status
    this.#seenAtMs = performance.now()
    if (output.json) await output.line(status, () => '')
    else await this.#tell(status, stateBefore)
    if (status.state === 'failed' && status.failure !== null) throw new DaemonError(status.failure)
  }

  async #tell(status: LearningStatus, stateBefore: LearningStatus['state'] | undefined): Promise<void> {
    const { output } = this.#session
    const { learner, state } = status
    this.#block.clear()
    if (state !== stateBefore && state === 'reading') output.note('reading the texts ...')
    if (state !== stateBefore && state === 'paused') output.note(faint('paused: the node answers a prompt'))
    if (learner !== null) await this.#tellNew(learner)
    if (process.stderr.isTTY === true) this.#redraw()
    else if (learner !== null && performance.now() - this.#lineAtMs >= lineEveryMs) {
      this.#lineAtMs = performance.now()
      await output.line(status, () => progressLine(status))
    }
  }

  async #tellNew(learner: LearnerStatus): Promise<void> {
    const { output } = this.#session
    if (learner.corpus !== null && !this.#isCorpusTold) {
      this.#isCorpusTold = true
      output.note(`${learner.folder}: ${corpusText(learner.corpus)}`)
    }
    const fresh = Math.min(decidedOf(learner) - this.#decidedTold, learner.outcomes.length)
    this.#decidedTold = decidedOf(learner)
    if (fresh > 0)
      for (const outcome of learner.outcomes.slice(-fresh)) await output.line(outcome, () => outcomeText(outcome))
  }

  #redraw(): void {
    if (this.#status === undefined || this.#session.output.json) return
    const help = faint('Ctrl+C stops; what was trained is kept and goes on with the next start')
    this.#block.show(`${learningText(this.#status, performance.now() - this.#seenAtMs)}\n${help}`)
  }

  async #stop(): Promise<void> {
    const { daemon, output } = this.#session
    output.note('stopping: what was trained is saved ...')
    const call = { method: 'POST', path: '/v0/learning/stop', timeoutMs: stopTimeoutMs } as const
    const { stopped } = await daemon.json<{ stopped: LearnerStatus | null }>(call)
    if (!output.json && stopped !== null) output.note(summaryText(stopped))
  }
}

function decidedOf({ deltas }: LearnerStatus): number {
  return deltas.accepted + deltas.refused
}

function summaryText({ step, deltas, earnedUnits }: LearnerStatus): string {
  return `stopped after ${step} steps; ${deltas.accepted} of ${deltas.committed} deltas were accepted, ${formatCoins(earnedUnits, 'BLY')} earned`
}
