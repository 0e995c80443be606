import type { TransitionLine } from './blyan-node.ts'
import { writeDivergenceBundle } from './divergence-bundle.ts'
import type { Glance, NodeGlancer } from './node-glance.ts'
import type { NodeParts } from './node-parts.ts'
import { syncText } from './sync-progress.ts'
import { type Transition, transitionsBetween, type WatchedView } from './transitions.ts'

export type NodeWatchNeeds = {
  readonly parts: NodeParts
  readonly glancer: NodeGlancer
}

const lookEveryMs = 500
const progressLineEveryMs = 5000
const linesKept = 32

/**
 * Looks at the node now and then, and tells each change: a line in the log, a line in the status, a count in the metrics.
 * It never changes what the node does.
 */
export class NodeWatch {
  readonly #parts: NodeParts
  readonly #glancer: NodeGlancer
  readonly #lines: TransitionLine[] = []
  #last: WatchedView | undefined
  #timer: NodeJS.Timeout | undefined
  #progressLineAtMs = Number.NEGATIVE_INFINITY
  #isBundleBegun = false

  constructor({ parts, glancer }: NodeWatchNeeds) {
    this.#parts = parts
    this.#glancer = glancer
  }

  /** What has changed lately, oldest first. */
  get lines(): readonly TransitionLine[] {
    return this.#lines
  }

  start(): void {
    this.look()
    this.#timer = setInterval(() => this.look(), lookEveryMs)
    this.#timer.unref()
    // The end of degraded mode is news at once; otherwise certificates come many times a second.
    this.#parts.chains.onCertified(() => {
      if (this.#last?.mode === 'degraded') queueMicrotask(() => this.look())
    })
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  look(): void {
    const glance = this.#glancer.look()
    const next = watchedOf(glance)
    const found = transitionsBetween(this.#last ?? beginningOf(next), next)
    this.#last = next
    for (const transition of found) this.#tell(transition, glance)
    // The state sync tells its own progress.
    if (glance.sync !== null && glance.sync.phase !== 'snapshot') this.#tellProgress(glance)
    if (glance.view.diverged !== undefined) void this.#keepBundle(glance)
  }

  #tell({ kind, level, text, validator }: Transition, glance: Glance): void {
    this.#lines.push({ at: new Date().toISOString(), kind, text })
    if (this.#lines.length > linesKept) this.#lines.shift()
    this.#parts.metrics.countTransition(kind)
    const { round, finalRound, commits } = glance.view
    const fields = { transition: kind, ...(validator === undefined ? {} : { validator }), round, finalRound, commits }
    this.#parts.input.logger.component('watch')[level](fields, text)
  }

  #tellProgress(glance: Glance): void {
    const nowMs = performance.now()
    if (nowMs - this.#progressLineAtMs < progressLineEveryMs) return
    this.#progressLineAtMs = nowMs
    this.#parts.input.logger.component('watch').info({ sync: glance.sync }, `catching up: ${syncText(glance.sync!)}`)
  }

  async #keepBundle({ view, committee }: Glance): Promise<void> {
    if (this.#isBundleBegun) return
    this.#isBundleBegun = true
    const { input, genesis, chains, quorum } = this.#parts
    const logger = input.logger.component('watch')
    try {
      const path = await writeDivergenceBundle({
        logsFolder: input.dataFolder.paths.logsFolder,
        version: input.version,
        network: genesis.file.network,
        genesis: genesis.cid,
        diverged: view.diverged!,
        committee,
        finalRound: view.finalRound,
        commits: view.commits,
        chains,
        store: quorum.store
      })
      this.#glancer.noteBundle(path)
      logger.error({ path }, 'what is needed to find out why this node differs has been written')
    } catch (error) {
      logger.error({ reason: String(error) }, 'the diagnostic bundle could not be written')
    }
  }
}

/** What a node is in the middle of when it starts is news as well. */
function beginningOf(first: WatchedView): WatchedView {
  return { ...first, syncPhase: null, recoveryWaitsFor: null, divergence: null }
}

function watchedOf(glance: Glance): WatchedView {
  return {
    state: glance.state,
    reasons: [...glance.notReady, ...glance.degraded],
    mode: glance.mode,
    missing: glance.missing,
    epoch: glance.committee.epoch,
    syncPhase: glance.sync?.phase ?? null,
    commits: glance.view.commits,
    recoveryWaitsFor: glance.recoveryWaitsFor,
    divergence: glance.view.divergence ?? null,
    members: glance.members
  }
}
