import { type ExpertWeights, expertOutput, type Judgement, judge, type Statement } from '../../guardian/index.ts'
import type { CallAuditorNeeds } from './call-auditor.ts'
import { inTurns, readExpertWeights, type WeightsAt } from './expert-weights.ts'

/** What weights give, computed without an engine: slowly, in float64, in turns. */
export interface LastWord {
  /** Undefined without the weights. */
  outputOf: CallAuditorNeeds['lastWord']
  /** Whether a statement of a holder can be true; undefined without the weights. */
  judge(statement: Statement, signal?: AbortSignal): Promise<Judgement | undefined>
}

export type LastWordNeeds = {
  /** Finds a tensor of an expert that is on this machine and is what its CID names, hashed now; else undefined. */
  readonly locate: (weights: string) => Promise<WeightsAt | undefined>
}

export function createLastWord(needs: LastWordNeeds): LastWord {
  return new ReadingLastWord(needs)
}

class ReadingLastWord implements LastWord {
  readonly #needs: LastWordNeeds
  /** One after the other: each holds the weights of an expert in memory. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(needs: LastWordNeeds) {
    this.#needs = needs
  }

  readonly outputOf: CallAuditorNeeds['lastWord'] = (recheck, arithmetic, signal) =>
    this.#with(recheck.weights, async weights => {
      if (weights.gate.inputs !== recheck.width) return undefined
      return inTurns(expertOutput(weights, recheck.input, arithmetic), signal)
    })

  judge(statement: Statement, signal?: AbortSignal): Promise<Judgement | undefined> {
    return this.#with(statement.weights, async weights => {
      if (weights.gate.inputs !== statement.input.length) return undefined
      return inTurns(judge(statement, weights), signal)
    })
  }

  async #with<Result>(
    cid: string,
    use: (weights: ExpertWeights) => Promise<Result | undefined>
  ): Promise<Result | undefined> {
    const before = this.#turn
    const work = (async () => {
      await before
      const at = await this.#needs.locate(cid)
      const weights = at === undefined ? undefined : await readExpertWeights(at)
      return weights === undefined ? undefined : use(weights)
    })()
    this.#turn = work.catch(() => undefined)
    return work
  }
}
