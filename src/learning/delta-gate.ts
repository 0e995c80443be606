import { describeError } from '../errors/index.ts'
import type { DeltaFile } from '../tiles/index.ts'
import type { AcceptedDelta, RefusalReason, RefusedDelta, Reveal } from './chain/index.ts'
import { createCopyFinder, type PartOfDelta } from './core/copies.ts'
import { besideNothing, judgeDelta } from './core/gate.ts'
import { roundRules, weightPpmOf } from './core/rules.ts'
import type { LearningLogger } from './learning-chain.ts'
import type { ModelParts } from './model-parts.ts'

export type GatedDeltas = {
  /** In the order of the chain. */
  readonly accepted: readonly AcceptedDelta[]
  readonly refused: readonly RefusedDelta[]
  /** Of all that could be opened, by CID. */
  readonly files: ReadonlyMap<string, DeltaFile>
}

export type DeltaGateNeeds = {
  readonly parts: ModelParts
  readonly open: (reveal: Reveal) => Promise<DeltaFile>
  /** Mean losses of the drawn sequences of the newest version with these changes (by the name on chain); undefined: nothing to try on. */
  readonly score: ((changes?: ReadonlyMap<string, Float32Array>) => Promise<Float64Array>) | undefined
  /** Accounts whose lineage is not true. */
  readonly refusedBefore: ReadonlySet<string>
  readonly logger: LearningLogger
}

/** Opens what was revealed, all at once, and says of each delta whether it may count, and how much. */
export async function gateDeltas(
  needs: DeltaGateNeeds,
  round: number,
  reveals: readonly Reveal[]
): Promise<GatedDeltas> {
  const refused = new Map<string, RefusalReason>([...needs.refusedBefore].map(account => [account, 'lineage']))
  const files = new Map<string, DeltaFile>()
  await Promise.all(
    reveals.map(async reveal => {
      try {
        // Those that do not count for us too: another's list may name them, and we have to be able to compute it.
        files.set(reveal.delta, await needs.open(reveal))
      } catch (error) {
        const { code } = describeError(error)
        needs.logger.debug({ account: reveal.account, delta: reveal.delta, code }, 'a delta cannot be used')
        if (!refused.has(reveal.account)) refused.set(reveal.account, reasonOf(code))
      }
    })
  )
  await refuseUndecodable(needs.parts, reveals, files, refused)
  for (const account of await copiesAmong(needs, reveals, files, refused)) refused.set(account, 'copied')
  const gains = await gainsOf(needs, reveals, files, refused)
  return {
    accepted: reveals
      .filter(({ account }) => !refused.has(account))
      .map(({ account, delta, baseRound }) => ({
        account,
        delta,
        weightPpm: weightPpmOf(round - baseRound),
        gainNano: gains.get(account) ?? 0
      })),
    refused: reveals.flatMap(({ account, delta }) => {
      const reason = refused.get(account)
      return reason === undefined ? [] : [{ account, delta, reason }]
    }),
    files
  }
}

async function gainsOf(
  { score, logger }: DeltaGateNeeds,
  reveals: readonly Reveal[],
  files: ReadonlyMap<string, DeltaFile>,
  refused: Map<string, RefusalReason>
): Promise<ReadonlyMap<string, number>> {
  const gains = new Map<string, number>()
  const most = new Map<string, number>()
  if (score === undefined) return gains
  const before = await score()
  for (const { account, delta } of reveals) {
    if (refused.has(account)) continue
    const verdict = judgeDelta(before, await score(changesIn(files.get(delta)!)))
    logger.debug({ account, ...verdict }, 'a delta was tried')
    if (verdict.refusal === undefined) {
      gains.set(account, verdict.gainNano)
      most.set(account, verdict.mostNano)
    } else refused.set(account, verdict.refusal)
  }
  // What is next to nothing makes everybody's part of the sum as short as itself.
  for (const account of besideNothing(gains, most)) refused.set(account, 'no-gain')
  return gains
}

/** All changes of a file, by the name on chain. */
export function changesIn(file: DeltaFile): Map<string, Float32Array> {
  return new Map(file.parts.map(name => [name, file.decode(name)]))
}

async function refuseUndecodable(
  parts: ModelParts,
  reveals: readonly Reveal[],
  files: ReadonlyMap<string, DeltaFile>,
  refused: Map<string, RefusalReason>
): Promise<void> {
  for (const { account, delta } of reveals) {
    const file = files.get(delta)
    if (file === undefined || refused.has(account)) continue
    try {
      if (file.parts.length === 0) refused.set(account, 'no-gain')
      for (const name of file.parts) {
        const { length } = parts.named(name)!
        const values = file.decode(name)
        if (values.length !== length || !values.every(Number.isFinite)) refused.set(account, 'invalid')
        await turn()
      }
    } catch (error) {
      refused.set(account, reasonOf(describeError(error).code))
    }
  }
}

/** Accounts whose delta points where an earlier one does: text and seeds differ, so that honest ones never do so closely. */
async function copiesAmong(
  { parts, logger }: DeltaGateNeeds,
  reveals: readonly Reveal[],
  files: ReadonlyMap<string, DeltaFile>,
  refused: ReadonlyMap<string, RefusalReason>
): Promise<string[]> {
  const tried = reveals.filter(({ account }) => !refused.has(account))
  const finder = createCopyFinder()
  for (const { name } of parts.all) {
    const before: PartOfDelta[] = []
    for (const { account, delta } of tried) {
      const file = files.get(delta)!
      if (!file.parts.includes(name)) continue
      const one = { account, values: file.decode(name) }
      for (const earlier of before) {
        finder.addPair(one, earlier)
        await turn()
      }
      before.push(one)
      if (before.length * one.values.byteLength > roundRules.gateBytesMax) before.shift()
    }
  }
  return [...finder.likest()].flatMap(([account, cosine]) => {
    logger.debug({ account, cosine }, 'how like a delta is to one before')
    return cosine >= roundRules.copyCosine ? [account] : []
  })
}

/** Deltas are many and large, and the node that tries them has a network to keep going. */
function turn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}

/** What stands on chain of it. A version that is gone is bad luck, a file that cannot be read is not. */
function reasonOf(code: string): RefusalReason {
  if (code.startsWith('TENSOR_FETCH') || code === 'TENSOR_NOT_FOUND') return 'unavailable'
  return code === 'DELTA_BASE_WRONG' ? 'stale' : 'invalid'
}
