import { randomBytes } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { bytesToHex } from '../codec/index.ts'
import type { Shard } from '../datasets/index.ts'
import type { CodecName, FeedbackStore, TensorStore } from '../tiles/index.ts'
import {
  assignmentOf,
  type CommitRecord,
  commitmentOf,
  commitsOf,
  type LearningSettings,
  learnerOf,
  type Outcome,
  quotaLeftOf,
  type Round,
  readRound,
  workDigest
} from './chain/index.ts'
import { nextLearnerStep } from './core/learner-plan.ts'
import { type MadeDelta, makeDelta } from './delta-maker.ts'
import { codeOf, type LearningChain, type LearningLogger, refusalOf } from './learning-chain.ts'
import type { LocalTraining } from './local-training.ts'
import { type ModelParts, newestTensors } from './model-parts.ts'
import { createPendingDelta, type PendingDelta, type PendingDeltaFile } from './pending-delta.ts'
import { storeBytes } from './stored-bytes.ts'
import { findNonce } from './work.ts'

export type LearnerActivity = 'joining' | 'training' | 'encoding' | 'waiting'

/** What a learner tells while it works. */
export type LearnerListener = {
  onActivity(activity: LearnerActivity): void
  onCommitted(delta: { readonly round: number; readonly sizeBytes: number; readonly steps: number }): void
  onOutcome(outcome: Outcome, sizeBytes: number): void
  /** It trains from other versions than before. */
  onBase(round: number): Promise<void>
}

export type LearnerNeeds = {
  readonly chain: LearningChain
  readonly parts: ModelParts
  readonly local: LocalTraining
  readonly tensors: Pick<TensorStore, 'putTensor'>
  readonly feedback: FeedbackStore
  readonly folder: string
  /** What it trains on. */
  readonly shards: readonly Shard[]
  readonly join: { readonly region: string; readonly parts: readonly string[]; readonly bytesMax: number }
  readonly codec: CodecName
  readonly settings: () => LearningSettings
  readonly listener: LearnerListener
  readonly logger: LearningLogger
}

/** One account learning one model: from version to version, until it is told to stop. */
export interface Learner {
  /** Ends when `signal` aborts, with all on disk. Throws what cannot be helped by trying again. */
  run(signal: AbortSignal): Promise<void>
}

export function createLearner(needs: LearnerNeeds): Learner {
  return new RoundLearner(needs)
}

/** At a minute each: a day. */
const troublesMax = 1440
const troublePauseMs = 1000
const troublePauseMsMax = 60_000
/** Trying again helps with none of these. */
const endingCodes: ReadonlySet<string> = new Set(['DISK_FULL', 'TRAINING_UNSUPPORTED', 'TRAINING_TOO_LARGE'])
const firstReserveShare = 0.2
const wayMs = 500
const quotaPauseMs = 10_000

class RoundLearner implements Learner {
  readonly #needs: LearnerNeeds
  readonly #pendingFile: PendingDeltaFile
  /** Made and not committed. */
  #ready: { readonly delta: PendingDelta; readonly made: MadeDelta } | undefined
  /** Committed; its round is not over as far as we saw. */
  #committed: PendingDelta | undefined
  #refusedInRow = 0
  #reserveMs = 0

  constructor(needs: LearnerNeeds) {
    this.#needs = needs
    this.#pendingFile = createPendingDelta(needs.folder, needs.parts.model)
  }

  async run(signal: AbortSignal): Promise<void> {
    const { local, logger } = this.#needs
    this.#committed = await this.#pendingFile.read()
    let troubles = 0
    try {
      while (!signal.aborted) {
        try {
          await this.#step(signal)
          troubles = 0
        } catch (error) {
          if (signal.aborted) break
          const code = codeOf(error)
          // A network that stands still is waited for; it is nobody's fault here.
          if (code !== 'NOT_FINAL_IN_TIME') troubles++
          if (endingCodes.has(code) || troubles > troublesMax) throw error
          logger.info({ code, troubles }, 'learning: tried again in a moment')
          const pauseMs = Math.min(troublePauseMs * 2 ** Math.min(Math.max(0, troubles - 1), 16), troublePauseMsMax)
          await setTimeout(pauseMs, undefined, { signal }).catch(() => {})
        }
      }
    } finally {
      await local.save().catch(error => logger.warn({ code: codeOf(error) }, 'no checkpoint was written'))
      await local.close()
    }
  }

  async #step(signal: AbortSignal): Promise<void> {
    const { chain, parts, local, listener } = this.#needs
    const { model } = parts
    const round = readRound(chain.state, model)
    const learner = learnerOf(chain.state, model, chain.account)
    if (round !== undefined && learner !== undefined) await this.#settle(round, learner.outcome)
    const commit =
      round === undefined ? undefined : commitsOf(chain.state, model).find(one => one.account === chain.account)
    if (commit !== undefined) await this.#noteCommitted(round!, commit)
    const hand = {
      isJoined: learner !== undefined,
      baseRound: local.base?.round,
      steps: local.steps,
      ready: this.#ready?.delta,
      hasCommitted: commit !== undefined,
      // What an earlier run committed and this one knows nothing of cannot be revealed.
      hasRevealed: commit?.isRevealed === true || this.#committed?.round !== round?.number
    }
    const next = nextLearnerStep(hand, round, chain.nowMs(), this.#reserve())
    switch (next.kind) {
      case 'join':
        listener.onActivity('joining')
        return this.#join(signal)
      case 'rebase':
        return this.#moveTo(round!, next.keep)
      case 'train':
        listener.onActivity('training')
        await local.train(next.untilMs, signal)
        return local.steps === hand.steps ? chain.changed(signal) : undefined
      case 'encode':
        listener.onActivity('encoding')
        return this.#encode(round!)
      case 'commit':
        return this.#commit(round!, signal)
      case 'reveal':
        return this.#reveal()
      case 'wait':
        listener.onActivity('waiting')
        return chain.changed(signal)
    }
  }

  #reserve(): number {
    return this.#reserveMs > 0 ? this.#reserveMs : this.#needs.settings().windowMs * firstReserveShare
  }

  async #join(signal: AbortSignal): Promise<void> {
    const { chain, parts, join } = this.#needs
    await chain.submit('learner-join', { model: parts.model, ...join, parts: [...join.parts] })
    if (learnerOf(chain.state, parts.model, chain.account) === undefined) await chain.changed(signal)
  }

  /** What the round before came to, once there is another. */
  async #settle(round: Round, outcome: Outcome | null): Promise<void> {
    const { parts, feedback, listener, chain, local, logger } = this.#needs
    const committed = this.#committed
    if (committed === undefined || committed.round >= round.number) return
    const isOurs = outcome?.round === committed.round
    const isAccepted = isOurs && outcome.isAccepted
    if (isOurs) listener.onOutcome(outcome, committed.sizeBytes)
    logger.debug({ round: committed.round, isAccepted, reason: outcome?.reason }, 'a round is over')
    // What was left out of a delta that does not count is in nobody's model.
    if (!isAccepted) await feedback.clear(parts.model)
    this.#refusedInRow = isAccepted ? 0 : this.#refusedInRow + 1
    const newest = newestTensors(parts, name => chain.newest(name))
    const before = local.base
    const isSame = parts.all.every(({ name }) => newest?.get(name) === before?.tensors.get(name))
    // On the same versions what was trained goes on, unless it was refused again and again.
    if (before !== undefined) await this.#moveTo(round, !isAccepted && isSame && this.#refusedInRow < refusedInRowMax)
    this.#committed = undefined
    await this.#pendingFile.clear()
  }

  async #moveTo(round: Round, keep: boolean): Promise<void> {
    const { chain, parts, local, shards, feedback, listener } = this.#needs
    const tensors = newestTensors(parts, name => chain.newest(name))
    if (tensors === undefined) return chain.changed()
    if (keep && local.base !== undefined && this.#ready !== undefined) await feedback.clear(parts.model)
    this.#ready = undefined
    const assignment = assignmentOf(chain.state, chain.genesis, parts.model, chain.account)
    await local.moveTo({ round: round.number, tensors }, assignment, shards, keep)
    await listener.onBase(round.number)
  }

  async #encode(round: Round): Promise<void> {
    const { chain, parts, local, feedback, tensors, codec } = this.#needs
    const startedMs = chain.nowMs()
    const base = local.base!
    const { changes, lineage } = await local.take()
    const made = await makeDelta({
      header: {
        network: chain.genesis.cid,
        model: parts.model,
        kind: 'delta',
        round: round.number,
        baseRound: base.round,
        codec,
        steps: lineage.steps,
        tokens: lineage.tokens,
        author: chain.account
      },
      parts,
      changes,
      bases: base.tensors,
      feedback
    })
    const { cid } = await storeBytes(tensors, 'delta', made.bytes)
    const delta: PendingDelta = {
      round: round.number,
      baseRound: base.round,
      cid,
      salt: bytesToHex(randomBytes(32)),
      sizeBytes: made.bytes.length,
      lineage
    }
    this.#ready = { delta, made }
    this.#reserveMs = 1.5 * (chain.nowMs() - startedMs) + wayMs
  }

  async #commit(round: Round, signal: AbortSignal): Promise<void> {
    const { chain, parts, settings, logger } = this.#needs
    const { delta } = this.#ready!
    const startedMs = chain.nowMs()
    if (quotaLeftOf(chain.state, chain.account, startedMs) === 0)
      return chain.changed(AbortSignal.any([signal, AbortSignal.timeout(quotaPauseMs)]))
    const commitment = this.#commitmentOf(delta)
    const work = { account: chain.account, model: parts.model, round: round.number, commitment }
    const nonce = await findNonce(workDigest(chain.genesis, work), settings().workBits, signal)
    const pending = { ...delta, round: round.number }
    // Before it is sent: a commit that is never revealed counts against its author.
    await this.#pendingFile.write(pending)
    try {
      await chain.submit('delta-commit', {
        model: parts.model,
        round: round.number,
        baseRound: delta.baseRound,
        commitment,
        tokens: delta.lineage.tokens,
        nonce
      })
    } catch (error) {
      const code = refusalOf(error)
      if (code === undefined || code === 'NOT_FINAL_IN_TIME') throw error
      // Where the round went on meanwhile the delta is late, and may still count in the next one.
      logger.debug({ round: round.number, code }, 'a commit was refused')
      if (code === 'DELTA_TOO_OLD') this.#ready = undefined
      if (code === 'LEARNING_QUOTA_SPENT')
        await chain.changed(AbortSignal.any([signal, AbortSignal.timeout(quotaPauseMs)]))
      return chain.changed(signal)
    }
    await this.#keepCommitted(pending)
    this.#reserveMs += chain.nowMs() - startedMs
  }

  /** A commit that became final after we had given up waiting for it: not to reveal it would count against us. */
  async #noteCommitted(round: Round, commit: CommitRecord): Promise<void> {
    const ready = this.#ready?.delta
    if (ready === undefined || commit.commitment !== this.#commitmentOf(ready)) return
    await this.#keepCommitted({ ...ready, round: round.number })
  }

  async #keepCommitted(delta: PendingDelta): Promise<void> {
    const { made } = this.#ready!
    this.#committed = delta
    this.#ready = undefined
    const { round, sizeBytes, lineage } = delta
    this.#needs.listener.onCommitted({ round, sizeBytes, steps: lineage.steps })
    await made.keepFeedback()
  }

  #commitmentOf({ cid, salt }: PendingDelta): string {
    return commitmentOf({ delta: cid, salt, account: this.#needs.chain.account })
  }

  async #reveal(): Promise<void> {
    const { chain, parts } = this.#needs
    const delta = this.#committed!
    await chain.submit('delta-reveal', {
      model: parts.model,
      round: delta.round,
      delta: delta.cid,
      salt: delta.salt,
      sizeBytes: delta.sizeBytes,
      lineage: delta.lineage
    })
  }
}

const refusedInRowMax = 2
