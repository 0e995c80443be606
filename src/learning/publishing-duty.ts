import { mustCompact, type TensorInfo, type TensorStore } from '../tiles/index.ts'
import { type Candidate, type LearningSettings, partChainOf, primariesOf, type Round } from './chain/index.ts'
import { codeOf, type LearningChain, type LearningLogger } from './learning-chain.ts'
import type { ModelParts } from './model-parts.ts'

export type PublishingNeeds = {
  readonly chain: LearningChain
  readonly parts: ModelParts
  readonly tensors: Pick<TensorStore, 'info' | 'fetchTensor'>
  /** About how long the newest version takes to make from the last snapshot. */
  readonly loadMs: (part: string) => number | null
  readonly settings: () => LearningSettings
  readonly logger: LearningLogger
}

/** Puts approved parts on chain B: each by its primary first, then by its backups, one after the other. */
export interface PublishingDuty {
  look(round: Round | undefined, candidate: Candidate): void
}

export function createPublishingDuty(needs: PublishingNeeds): PublishingDuty {
  return new PartPublisher(needs)
}

class PartPublisher implements PublishingDuty {
  readonly #needs: PublishingNeeds
  readonly #running = new Set<string>()

  constructor(needs: PublishingNeeds) {
    this.#needs = needs
  }

  look(round: Round | undefined, candidate: Candidate): void {
    const { chain, settings } = this.#needs
    const sinceMs = chain.nowMs() - (round?.phase === 'publishing' ? round.phaseAtMs : candidate.openedAtMs)
    for (const part of candidate.parts) {
      if (chain.newest(part.name)?.tensor === part.tensor || this.#running.has(part.tensor)) continue
      const place = this.#placeOf(candidate, part.name)
      if (place < 0 || sinceMs < place * Math.max(settings().backupMs, publishTurnMs)) continue
      this.#running.add(part.tensor)
      void this.#publish(candidate, part)
        .catch(error => this.#needs.logger.debug({ code: codeOf(error) }, 'publishing: not taken yet'))
        .finally(() => this.#running.delete(part.tensor))
    }
  }

  #placeOf(candidate: Candidate, part: string): number {
    const { chain } = this.#needs
    const elected = primariesOf(chain.state, chain.genesis, candidate.model, part)
    return (candidate.author === chain.account && candidate.source === 'proposal' ? [chain.account] : elected).indexOf(
      chain.account
    )
  }

  async #publish(candidate: Candidate, change: Candidate['parts'][number]): Promise<void> {
    const { chain, parts, tensors } = this.#needs
    const part = parts.named(change.name)
    const version = chain.newest(change.name)
    if (part === undefined || version === undefined) return
    const updateBytes = change.update === null ? 0 : this.#shareOf(candidate, change)
    // Backups have computed it; others have to get it first, or nobody could answer with the newest version.
    const info = tensors.info(change.tensor) ?? (await tensors.fetchTensor(change.tensor, { timeoutMs: fetchMs }))
    const isSnapshot =
      change.update === null || version.tensor !== change.base || this.#mustCompact(info, part.name, updateBytes)
    await chain.submit(part.blockType, {
      name: change.name,
      layer: part.layer,
      tensor: change.tensor,
      shape: [...part.shape],
      parent: version.block,
      ...(isSnapshot ? {} : { update: change.update, updateBytes })
    })
    this.#needs.logger.debug({ part: change.name, candidate: candidate.id, isSnapshot }, 'published')
  }

  #mustCompact(info: TensorInfo, name: string, updateBytes: number): boolean {
    const chain = partChainOf(this.#needs.chain.state, this.#needs.chain.genesis, name)
    const before = chain?.updates.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) ?? 0
    return mustCompact({
      updates: (chain?.updates.length ?? 0) + 1,
      updateBytes: before + updateBytes,
      partBytes: info.dataLengthBytes,
      loadMs: this.#needs.loadMs(name)
    })
  }

  /** What this part takes of a file that many share: int8 is as long as there are values. */
  #shareOf(candidate: Candidate, change: Candidate['parts'][number]): number {
    const lengthOf = (name: string): number => this.#needs.parts.named(name)?.length ?? 0
    const together = candidate.parts.filter(({ update }) => update === change.update)
    const total = together.reduce((sum, { name }) => sum + lengthOf(name), 0)
    return Math.max(1, Math.ceil((change.updateBytes * lengthOf(change.name)) / Math.max(1, total)))
  }
}

const publishTurnMs = 1000
const fetchMs = 5000
