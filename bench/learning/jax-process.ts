// A process of its own for @jax-js/jax: its arrays take a gigabyte. Makes the steps it is asked for and answers once.
import { genesisParts, shapeOf } from '../../src/experts/index.ts'
import { decays } from '../../src/experts/training/adamw.ts'
import { positionTables } from '../../src/experts/training/position-tables.ts'
import { createJaxTrainer, type JaxParameter } from './jax-step.ts'
import { batchOfStep, momentSettings, type StepAnswer, type StepPlan } from './step-plan.ts'
import { readTexts } from './texts.ts'

process.once('message', (plan: StepPlan) => {
  // Nobody waits for what a parent that is gone has asked for.
  process.once('disconnect', () => process.exit(1))
  void work(plan).then(answer => process.send!(answer))
})

async function work({ architecture, settings, steps }: StepPlan): Promise<StepAnswer> {
  const { sequences, sequenceTokens, learningRate, weightDecay, clipNorm } = settings
  const parameters = new Map<string, JaxParameter>()
  for (const part of genesisParts(architecture)) {
    for (const slice of part.slices) {
      const at = slice.offsetBytes / 4
      const data = part.data.subarray(at, at + slice.lengthBytes / 4)
      parameters.set(`${part.name}/${slice.name}`, { data, dimensions: slice.shape, decays: decays(slice) })
    }
  }
  const tables = positionTables(shapeOf(architecture), sequenceTokens)
  const optimiser = { ...momentSettings, weightDecay, clipNorm }
  const trainer = createJaxTrainer(architecture, parameters, tables, { ...settings, optimiser })
  const texts = readTexts()
  const times: number[] = []
  const losses: number[] = []
  for (let step = 1; step <= steps; step++) {
    const tokens = new Int32Array(sequences * sequenceTokens)
    const targets = new Int32Array(sequences * sequenceTokens)
    const batch = batchOfStep(texts, settings, step)
    for (let row = 0; row < sequences; row++) {
      const own = batch.subarray(row * (sequenceTokens + 1), (row + 1) * (sequenceTokens + 1))
      tokens.set(own.subarray(0, -1), row * sequenceTokens)
      targets.set(own.subarray(1), row * sequenceTokens)
    }
    const startedAtMs = performance.now()
    losses.push(await trainer.step(tokens, targets, learningRate))
    times.push(performance.now() - startedAtMs)
  }
  return { times, losses }
}
