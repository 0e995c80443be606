import { type CodecName, codecNames, defaultAggregationRules } from '../../src/tiles/index.ts'
import { type Options, plain, type Result } from '../report.ts'
import { percentAbove, withBenchModel } from './bench-engine.ts'
import { shorter, small } from './plans.ts'
import { runRounds } from './rounds.ts'
import { readTexts } from './texts.ts'

/** 12 rounds of 10 steps are few, so that codecs that need time look worse than they are. */
const plan = { settings: shorter, learners: 4, innerSteps: 10, gateSequences: 0, heldOutSequences: 256 } as const
const quickCodecs: readonly CodecName[] = ['fp32', 'lr8+k32', 'seed-v0', 'lr8-4b+k512-1b']

/** Held-out loss above the same rounds with fp32 deltas: only the codec differs. */
export async function measureCodecLoss({ quick, note }: Options): Promise<Result[]> {
  const texts = readTexts()
  return await withBenchModel(small, async model => {
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
