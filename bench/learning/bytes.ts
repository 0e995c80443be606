import { median, type Options, plain, type Result } from '../report.ts'
import { percentAbove, withBenchModel } from './bench-engine.ts'
import { runOneMachine } from './one-machine.ts'
import { bytesPlan, figures, networkRules } from './plans.ts'
import { runRounds } from './rounds.ts'
import { readTexts } from './texts.ts'

/**
 * Four learners against one machine that takes the same tokens in the same number of steps: loss on texts nobody trained on, and
 * the bytes that one learner sends and takes, against fp32 gradients of all parameters in every step. Both go on from a model that
 * one machine trained a little, as a network goes on from what it has.
 */
export async function measureBytes({ quick, note }: Options): Promise<Result[]> {
  const texts = readTexts()
  const plan = bytesPlan(quick)
  const { warmSteps, steps, learners, learnerRate } = plan
  const settings = { ...plan.settings, coolDown: { fromStep: 0, toStep: steps } }
  return await withBenchModel(plan.architecture, async model => {
    const denseBytes = model.parameters * 4
    note(
      `${(model.parameters / 1e6).toFixed(2)} M parameters, ${learners} learners, ${steps} steps each, ` +
        `${settings.sequences} x ${settings.sequenceTokens} bytes a step and learner; baseline: one machine, fp32, ${steps} steps ` +
        `of ${learners * settings.sequences} sequences, the same tokens; rates from ${settings.learningRate} (one machine) and ${learnerRate} (learners) to 0; ` +
        `bytes against ${denseBytes} of fp32 gradients a step`
    )
    const warm = await runOneMachine(model, texts, { ...plan, steps: warmSteps, note })
    note(`after ${warmSteps} steps of one machine: ${warm.lossNats.toFixed(4)} nats per byte`)
    const common = { ...plan, settings, start: warm.values, stepsBefore: warmSteps }
    const { lossNats: baseline } = await runOneMachine(model, texts, { ...common, note })
    note(`one machine: ${baseline.toFixed(4)} nats per byte`)
    const results: Result[] = [
      plain('learning.start', 'nats per byte, held out', [warm.lossNats]),
      plain('learning.oneMachine', 'nats per byte, held out', [baseline])
    ]
    for (const { name, codec, innerSteps, gapMaxPercent } of figures) {
      const rounds = steps / innerSteps
      const { lossNats, bytesUp, bytesDown } = await runRounds(model, texts, {
        ...common,
        settings: { ...settings, learningRate: learnerRate },
        rounds,
        innerSteps,
        codec,
        rules: networkRules,
        gateSequences: 0,
        note: text => note(`${codec}: ${text}`)
      })
      const gap = percentAbove(lossNats, baseline)
      const fewer = (denseBytes * steps) / bytesUp
      note(
        `${codec}, H=${innerSteps}: ${lossNats.toFixed(4)} nats per byte (${gap.toFixed(2)}%), up ${Math.round(bytesUp / rounds)} ` +
          `bytes a round (${Math.round(fewer)}x fewer a step), down ${Math.round(bytesDown / rounds)}`
      )
      results.push(
        asked(
          `learning.${name}.lossGap`,
          `relative to one machine (${codec}, H=${innerSteps})`,
          gap / 100,
          gapMaxPercent / 100
        ),
        plain(`learning.${name}.bytesRatio`, `times fewer up a step than fp32 gradients, H=${innerSteps}`, [fewer]),
        plain(`learning.${name}.bytesUp`, 'bytes of a learner and round', [bytesUp / rounds]),
        plain(`learning.${name}.bytesDown`, 'bytes of a round', [bytesDown / rounds])
      )
    }
    return results
  })
}

/** Below zero is better than asked; the ratio says how much of the bound is used. */
export function asked(name: string, unit: string, value: number, limit: number): Result {
  const result = plain(name, unit, [value])
  const ratio = Number((limit / Math.max(median([value]), limit / 1000)).toPrecision(4))
  return { ...result, limit, limitName: 'asked for', ratio }
}
