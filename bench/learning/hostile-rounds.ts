import { type Options, plain, type Result } from '../report.ts'
import { percentAbove, withBenchModel } from './bench-engine.ts'
import { asked } from './bytes.ts'
import { hostileKinds } from './hostile.ts'
import { runOneMachine } from './one-machine.ts'
import { hostilePlan, networkRules } from './plans.ts'
import { type RoundsPlan, type RoundsResult, runRounds } from './rounds.ts'
import { readTexts } from './texts.ts'

const hostileLearners = [6, 7] as const
const gapMaxPercent = 1

/**
 * Two of eight learners do something else than learn, once for each kind. Clean is what the six others reach alone, so that the
 * two learners' missing tokens are not taken for harm. All start from a model that has learnt a little: in the first steps of all
 * even a change of the wrong sign can lower the loss, since input and output share their embeddings.
 */
export async function measureHostile({ quick, note }: Options): Promise<Result[]> {
  const texts = readTexts()
  const plan = hostilePlan(quick)
  const rounds: RoundsPlan = { ...plan, codec: 'lr8+k32', rules: networkRules, gateSequences: 32 }
  return await withBenchModel(plan.architecture, async model => {
    const { values: start } = await runOneMachine(model, texts, { ...plan, steps: plan.warmSteps })
    const common = { ...rounds, start }
    const clean = await runRounds(model, texts, { ...common, honest: plan.learners - hostileLearners.length })
    note(`clean: ${clean.lossNats.toFixed(4)} nats per byte; ${talliesOf(clean)}`)
    const results: Result[] = [
      plain('learning.clean.refused', 'honest deltas refused without an attacker', [refusedOf(clean, plan.learners)])
    ]
    let worst = Number.NEGATIVE_INFINITY
    for (const kind of hostileKinds) {
      const hostile = new Map(hostileLearners.map(learner => [learner, kind]))
      const attacked = await runRounds(model, texts, { ...common, hostile })
      const gap = percentAbove(attacked.lossNats, clean.lossNats)
      worst = Math.max(worst, gap)
      note(`${kind}: ${attacked.lossNats.toFixed(4)} (${gap.toFixed(2)}%); ${talliesOf(attacked)}`)
      const earned = hostileLearners.reduce((sum, learner) => sum + attacked.tallies[learner]!.earned, 0)
      results.push(
        plain(`learning.hostile.${kind.replaceAll(' ', '-')}.lossGap`, '% above clean', [gap]),
        plain(`learning.hostile.${kind.replaceAll(' ', '-')}.earned`, '% of all rewards, both hostile ones', [
          (100 * earned) / plan.rounds
        ]),
        plain(`learning.hostile.${kind.replaceAll(' ', '-')}.honestRefused`, 'deltas of honest ones refused', [
          refusedOf(attacked, hostileLearners[0])
        ])
      )
    }
    return [
      asked('learning.hostile.lossGap', 'relative to clean, the worst kind', worst / 100, gapMaxPercent / 100),
      ...results
    ]
  })
}

function refusedOf({ tallies }: RoundsResult, honest: number): number {
  return tallies
    .slice(0, honest)
    .flatMap(({ refused }) => [...refused.values()])
    .reduce((sum, count) => sum + count, 0)
}

function talliesOf({ tallies }: RoundsResult): string {
  return tallies
    .map(({ accepted, earned, refused }, learner) => {
      const reasons = [...refused].map(([reason, count]) => `${count} ${reason}`)
      return `${learner}: ${[`${accepted} accepted for ${earned.toFixed(2)}`, ...reasons].join(', ')}`
    })
    .join('; ')
}
