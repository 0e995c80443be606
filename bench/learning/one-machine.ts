import { type BenchModel, byChainName, meanOf, type Values } from './bench-model.ts'
import type { RoundsPlan } from './rounds.ts'
import { drawBatch, spreadSequences, type Texts } from './texts.ts'

/** One machine that takes all learners' batches as one, in each step: the same tokens. */
export async function runOneMachine(
  model: BenchModel,
  texts: Texts,
  plan: Pick<RoundsPlan, 'settings' | 'learners' | 'heldOutSequences' | 'start' | 'stepsBefore' | 'note'> & {
    readonly steps: number
  }
): Promise<{ readonly lossNats: number; readonly values: Values }> {
  const { learners, steps, start = model.genesis(), stepsBefore = 0 } = plan
  const { files, forget } = model.write(start)
  const settings = { ...plan.settings, sequences: plan.settings.sequences * learners }
  const training = await model.engine.openTraining({
    model: 'one',
    architecture: model.architecture,
    parts: files,
    trained: 'all',
    settings
  })
  try {
    function* batches(): Generator<Uint32Array> {
      for (let step = stepsBefore + 1; step <= stepsBefore + steps; step++) {
        const all = Array.from({ length: learners }, (_, learner) => [
          ...drawBatch(texts.training, { ...plan.settings, learner, learners, step })
        ])
        yield Uint32Array.from(all.flat())
      }
    }
    let last = 0
    for await (const step of training.train({ batches: batches() })) {
      last = step.lossNats
      if (step.step % 100 === 0) plan.note?.(`one machine, step ${step.step} of ${steps}: ${last.toFixed(4)}`)
    }
    const tokens = spreadSequences(texts.heldOut, plan.heldOutSequences, settings.sequenceTokens)
    const changes = await training.delta()
    const lossNats = meanOf(await training.score({ tokens, changes }))
    const values = new Map(
      [...byChainName(model.parts, changes)].map(([name, change]) => {
        const from = start.get(name)!
        return [name, change.map((value, at) => from[at]! + value)]
      })
    )
    return { lossNats, values }
  } finally {
    await training.close()
    forget()
  }
}
