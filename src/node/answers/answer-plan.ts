import type { ExpertCaller } from '../../routing/index.ts'
import type { AnswerMode, AnswerPlan, ModelEntry, ModelPart } from './answer-types.ts'

export type PlanInput = {
  readonly entry: ModelEntry
  readonly mode: AnswerMode
  readonly elsewhere: readonly ModelPart[]
  readonly caller: Pick<ExpertCaller, 'plan'>
  readonly homeMsPerToken: number | null
  /** Answers that run, this one counted. */
  readonly batch: number
}

/** What an answer is said to be before it starts. */
export function planOf(input: PlanInput): AnswerPlan {
  const { entry, mode, elsewhere, homeMsPerToken } = input
  const localExperts = entry.parts.filter(part => part.expert !== null).length - elsewhere.length
  const counts = { mode, localExperts, remoteExperts: elsewhere.length }
  if (elsewhere.length === 0) {
    const predicted = homeMsPerToken === null || homeMsPerToken === 0 ? null : 1000 / homeMsPerToken
    const why = `all ${localExperts} experts are computed here`
    return { ...counts, predictedTokensPerSecond: predicted, holders: [], why }
  }
  const { architecture } = entry
  const plan = input.caller.plan({
    elsewhere: elsewhere.map(part => ({
      layer: part.layer ?? 0,
      address: { modelBlock: entry.block, tensor: part.tensor, width: architecture.width }
    })),
    expertsPerLayer: architecture.experts,
    expertsPerToken: architecture.expertsPerToken,
    layers: architecture.layers,
    homeMsPerToken,
    mode: mode === 'standard' ? 'distributed' : mode,
    batch: Math.max(1, input.batch)
  })
  const { predictedTokensPerSecond, holders } = plan
  return { ...counts, predictedTokensPerSecond, holders, why: reasonOf(localExperts, elsewhere.length, plan) }
}

function reasonOf(
  local: number,
  remote: number,
  plan: { holders: readonly unknown[]; missing: readonly string[]; single: readonly string[] }
): string {
  const texts = [`${local} experts are computed here and ${remote} by ${counted(plan.holders.length, 'holder')}`]
  if (plan.missing.length > 0) texts.push(`nobody holds ${plan.missing.length} of them: they are fetched when needed`)
  if (plan.single.length > 0) texts.push(`${plan.single.length} have one holder only`)
  return texts.join('; ')
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}
