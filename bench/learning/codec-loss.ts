import { type ArchitectureV1, genesisArchitecture, type TrainingSettings } from '../../src/experts/index.ts'
import { type CodecName, codecNames, defaultAggregationRules } from '../../src/tiles/index.ts'
import { type Options, plain, type Result } from '../report.ts'
import { percentAbove, withBenchModel } from './bench-engine.ts'
import { runRounds } from './rounds.ts'
import { readTexts } from './texts.ts'

/** Small enough to try every codec; 12 rounds of 10 steps are few, so that codecs that need time look worse than they are. */
const architecture: ArchitectureV1 = {
  ...genesisArchitecture('blyan-bench'),
  width: 64,
  layers: 2,
  headWidth: 16,
  experts: 4,
  expertWidth: 128
}
const settings: TrainingSettings = {
  sequences: 8,
  sequenceTokens: 64,
  sequencesPerRun: 8,
  learningRate: 0.004,
  warmUpSteps: 20,
  weightDecay: 0.1,
  clipNorm: 1,
  balance: 0.01,
  zLoss: 0.001
}
const plan = { settings, learners: 4, innerSteps: 10, gateSequences: 0, heldOutSequences: 256 } as const
const quickCodecs: readonly CodecName[] = ['fp32', 'lr8+k32', 'seed-v0', 'lr8-4b+k512-1b']

/** Held-out loss above the same rounds with fp32 deltas: only the codec differs. */
export async function measureCodecLoss({ quick, note }: Options): Promise<Result[]> {
  const texts = readTexts()
  return await withBenchModel(architecture, async model => {
    const results: Result[] = []
    let dense = Number.NaN
    for (const codec of quick ? quickCodecs : codecNames) {
      const { lossNats } = await runRounds(model, texts, {
        ...plan,
        rounds: quick ? 3 : 12,
        codec,
        rules: defaultAggregationRules
      })
      note(`${codec}: ${lossNats.toFixed(4)} nats per byte, ${(model.parameters / 1e6).toFixed(2)} M parameters`)
      if (codec === 'fp32') dense = lossNats
      else results.push(plain(`codecs.${codec}.lossGap`, '% above fp32 deltas', [percentAbove(lossNats, dense)]))
    }
    return results
  })
}
