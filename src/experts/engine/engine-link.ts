import type { ChildProcess } from 'node:child_process'
import type { Duplex, Readable } from 'node:stream'
import { BlyanError } from '../../errors/index.ts'
import type { CallDesk } from './call-desk.ts'
import { type EngineLogger, readLines } from './engine-child.ts'
import { channelDescriptor, type EngineOperation, errorFromFrame } from './engine-protocol.ts'
import type { LinkLimits, LinkState } from './engine-types.ts'
import { closedReason, createFrameChannel, type Frame, type FrameChannel } from './frame-channel.ts'
import { asMap } from './frame-fields.ts'
import { Waiters } from './waiters.ts'

export type RequestOptions = {
  readonly signal?: AbortSignal
  readonly onEvent?: (event: Frame) => void
}

/** Keeps one engine process alive and carries requests to it. */
export interface EngineLink {
  readonly state: LinkState
  readonly restarts: number
  readonly processId: number | undefined
  /** Resolves to the number of the running process. Throws ENGINE_STOPPED, ENGINE_FAILED, ENGINE_TIMEOUT. */
  ready(): Promise<number>
  /**
   * Asks process number `generation`. Throws ENGINE_LOST when that one has ended, ENGINE_BUSY, ENGINE_TIMEOUT, what the
   * engine answered with, or the reason of an aborted signal.
   */
  request(generation: number, operation: EngineOperation, fields: Frame, options?: RequestOptions): Promise<Frame>
  start(): Promise<void>
  stop(): Promise<void>
}

export type EngineLinkNeeds = {
  readonly spawnProcess: () => ChildProcess
  /** Answers what the engine asks; without one an engine that asks is taken for broken. */
  readonly calls?: CallDesk
  readonly limits: LinkLimits
  readonly logger: EngineLogger
}

export function createEngineLink(needs: EngineLinkNeeds): EngineLink {
  return new ChildProcessLink(needs)
}

type OpenRequest = {
  readonly operation: EngineOperation
  readonly onEvent: ((event: Frame) => void) | undefined
  readonly timer: NodeJS.Timeout
  readonly settle: (outcome: { result: Frame } | { error: unknown }) => void
}

type Running = { readonly child: ChildProcess; channel: FrameChannel | undefined; endReason: string | undefined }

const stopGraceMs = 2000

class ChildProcessLink implements EngineLink {
  readonly #needs: EngineLinkNeeds
  readonly #open = new Map<number, OpenRequest>()
  #state: LinkState = 'stopped'
  #running: Running | undefined
  #generation = 0
  #nextId = 1
  #lastFrameAtMs = 0
  #endTimesMs: number[] = []
  #restarts = 0
  #lastReason = 'it never ran'
  #restartTimer: NodeJS.Timeout | undefined
  #startTimer: NodeJS.Timeout | undefined
  readonly #waiting = new Waiters()

  constructor(needs: EngineLinkNeeds) {
    this.#needs = needs
  }

  get state(): LinkState {
    return this.#state
  }

  get restarts(): number {
    return this.#restarts
  }

  get processId(): number | undefined {
    return this.#running?.child.pid
  }

  async start(): Promise<void> {
    if (this.#state === 'stopped' || this.#state === 'failed') {
      this.#endTimesMs = []
      this.#launch()
    }
    await this.ready()
  }

  async ready(): Promise<number> {
    const { startTimeoutMs } = this.#needs.limits
    const deadlineMs = performance.now() + startTimeoutMs
    while (this.#state === 'starting') {
      const leftMs = deadlineMs - performance.now()
      if (leftMs <= 0) throw new BlyanError('ENGINE_TIMEOUT', { operation: 'start', timeoutMs: startTimeoutMs })
      await this.#waiting.wait(leftMs)
    }
    if (this.#state === 'failed') throw this.#failure()
    if (this.#state === 'stopped') throw new BlyanError('ENGINE_STOPPED')
    return this.#generation
  }

  request(generation: number, operation: EngineOperation, fields: Frame, options: RequestOptions = {}): Promise<Frame> {
    const { limits } = this.#needs
    return new Promise((resolve, reject) => {
      options.signal?.throwIfAborted()
      const running = this.#running
      if (this.#state !== 'running' || running?.channel === undefined || generation !== this.#generation)
        throw this.#lost()
      if (this.#open.size >= limits.openRequestsMax) {
        throw new BlyanError('ENGINE_BUSY', { openRequests: this.#open.size })
      }
      const id = this.#nextId++
      running.channel.send({ ...fields, id, operation })
      const abort = (): void => this.#cancel(id, options.signal?.reason)
      this.#open.set(id, {
        operation,
        onEvent: options.onEvent,
        timer: setTimeout(() => this.#timeOut(id, operation), limits.requestTimeoutMs),
        settle: outcome => {
          options.signal?.removeEventListener('abort', abort)
          if ('result' in outcome) resolve(outcome.result)
          else reject(outcome.error)
        }
      })
      options.signal?.addEventListener('abort', abort, { once: true })
    })
  }

  async stop(): Promise<void> {
    const running = this.#running
    clearTimeout(this.#restartTimer)
    this.#change('stopped')
    if (running === undefined) return
    running.endReason = 'the engine was stopped'
    running.channel?.close()
    const grace = setTimeout(() => running.child.kill('SIGKILL'), stopGraceMs)
    while (this.#running === running) await this.#waiting.wait(stopGraceMs)
    clearTimeout(grace)
  }

  #launch(): void {
    const { limits, logger } = this.#needs
    this.#generation++
    this.#change('starting')
    let child: ChildProcess
    try {
      child = this.#needs.spawnProcess()
    } catch (error) {
      this.#ended(undefined, error instanceof Error ? error.message : String(error))
      return
    }
    const running: Running = { child, channel: undefined, endReason: undefined }
    this.#running = running
    let lastLine = ''
    child.once('error', error => this.#ended(running, error.message))
    child.once('exit', (code, signal) => {
      const how = signal === null ? `exit code ${code}` : `signal ${signal}`
      this.#ended(running, running.endReason ?? (lastLine === '' ? how : `${how}: ${lastLine}`))
    })
    // Out of file descriptors there are no streams, only the error event that follows.
    if (child.stdio?.[channelDescriptor] == null) return
    this.#startTimer = setTimeout(() => this.#kill(running, 'it did not start in time'), limits.startTimeoutMs)
    this.#attachChannel(running, child.stdio[channelDescriptor] as Duplex)
    for (const name of ['stdout', 'stderr'] as const) {
      readLines(child[name] as Readable, line => {
        lastLine = line
        logger.debug({ engineProcess: child.pid, stream: name }, line)
      })
    }
  }

  #attachChannel(running: Running, stream: Duplex): void {
    running.channel = createFrameChannel({
      stream,
      frameBytesMax: this.#needs.limits.frameBytesMax,
      onFrame: frame => this.#receive(running, frame),
      onEnd: reason => {
        if (reason !== closedReason) running.endReason ??= reason
        // Without its channel the process is of no use, whatever it still does.
        running.child.kill('SIGKILL')
      }
    })
  }

  #receive(running: Running, frame: Frame): void {
    if (running !== this.#running) return
    this.#lastFrameAtMs = performance.now()
    if (frame.ready === true && this.#state === 'starting') {
      clearTimeout(this.#startTimer)
      this.#change('running')
      this.#needs.logger.info({ engineProcess: running.child.pid }, 'engine started')
      return
    }
    try {
      if (typeof frame.id === 'number') this.#deliver(frame.id, frame)
      else if (frame.call === undefined || this.#needs.calls === undefined) {
        this.#kill(running, 'it sent a message without a number')
      } else this.#needs.calls.receive(frame, answer => running.channel?.send(answer))
    } catch {
      this.#kill(running, 'it sent a message that cannot be read')
    }
  }

  #deliver(id: number, frame: Frame): void {
    const request = this.#open.get(id)
    // Late answers to what was cancelled or timed out.
    if (request === undefined) return
    if (frame.event !== undefined) {
      request.timer.refresh()
      request.onEvent?.(asMap(frame.event, 'event'))
    } else if (frame.error !== undefined) {
      this.#settle(id, { error: errorFromFrame(request.operation, asMap(frame.error, 'error')) })
    } else {
      this.#settle(id, { result: asMap(frame.result, 'result') })
    }
  }

  #settle(id: number, outcome: { result: Frame } | { error: unknown }): void {
    const request = this.#open.get(id)
    if (request === undefined) return
    this.#open.delete(id)
    clearTimeout(request.timer)
    request.settle(outcome)
  }

  #cancel(id: number, reason: unknown): void {
    this.#running?.channel?.send({ id, operation: 'cancel' })
    this.#settle(id, { error: reason })
  }

  #timeOut(id: number, operation: EngineOperation): void {
    const timeoutMs = this.#needs.limits.requestTimeoutMs
    this.#cancel(id, new BlyanError('ENGINE_TIMEOUT', { operation, timeoutMs }))
    const isSilent = performance.now() - this.#lastFrameAtMs >= timeoutMs
    if (isSilent && this.#running !== undefined) this.#kill(this.#running, 'it hung')
  }

  #kill(running: Running, reason: string): void {
    running.endReason ??= reason
    running.child.kill('SIGKILL')
  }

  #ended(running: Running | undefined, reason: string): void {
    if (running !== this.#running) return
    clearTimeout(this.#startTimer)
    running?.channel?.close()
    this.#needs.calls?.abandon()
    this.#running = undefined
    this.#lastReason = reason
    const wasStopped = this.#state === 'stopped'
    if (!wasStopped) this.#planRestart(reason)
    for (const id of [...this.#open.keys()]) this.#settle(id, { error: this.#lost() })
    this.#waiting.wakeAll()
  }

  #planRestart(reason: string): void {
    const { restartWindowMs, restartsMax, backOffMs } = this.#needs.limits
    const nowMs = performance.now()
    this.#endTimesMs = [...this.#endTimesMs.filter(timeMs => nowMs - timeMs < restartWindowMs), nowMs]
    const ends = this.#endTimesMs.length
    if (ends > restartsMax) {
      this.#needs.logger.warn({ reason, restarts: this.#restarts }, 'engine given up')
      this.#change('failed')
      return
    }
    const pauseMs = backOffMs * Math.min(30, 2 ** (ends - 1))
    this.#needs.logger.warn({ reason, pauseMs }, 'engine lost, starting another')
    this.#change('starting')
    this.#restartTimer = setTimeout(() => {
      this.#restarts++
      this.#launch()
    }, pauseMs)
  }

  #change(state: LinkState): void {
    this.#state = state
    this.#waiting.wakeAll()
  }

  #lost(): BlyanError {
    return new BlyanError('ENGINE_LOST', { reason: this.#lastReason })
  }

  #failure(): BlyanError {
    return new BlyanError('ENGINE_FAILED', { restarts: this.#restarts, reason: this.#lastReason })
  }
}
