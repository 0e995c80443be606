import type { StateView } from '../../dag/index.ts'
import { schedule } from '../book/agenda.ts'
import type { RuleInput } from '../book/rule.ts'
import { numberOf } from '../parameters.ts'
import { type GiftedNode, type Resources, readGifted, writeGifted } from './node.ts'
import { releaseGifted } from './release.ts'
import { least } from './resources.ts'
import { counted } from './uptime.ts'

/** Agenda: looks whether a gifted node still gives a sign of life. */
export const giftedDue = 'gifted'

/** Puts the node on the agenda for when its heartbeats end to vouch for it. */
export function watched(state: StateView, node: GiftedNode): GiftedNode {
  schedule(state, node.vouchedUntilMs, giftedDue, node.account)
  return { ...node, watchMs: node.vouchedUntilMs }
}

export function beat({ state, genesis, nowMs }: RuleInput, node: GiftedNode, measured: Resources): void {
  const vouchedUntilMs = nowMs + numberOf(state, genesis, 'giftedSilentMs')
  const next: GiftedNode = {
    ...counted(node, nowMs),
    measured,
    leastMeasured: least(node.leastMeasured, measured),
    heartbeatMs: nowMs,
    vouchedUntilMs,
    isActive: true
  }
  writeGifted(state, node.isActive ? next : watched(state, next))
}

/** Silent: not counted upon any more. Silent for long: taken off the list. */
export function giftedIsDue(input: RuleInput, account: string): void {
  const { state, genesis, nowMs } = input
  const node = readGifted(state, account)
  if (node === undefined || nowMs < node.watchMs) return
  if (nowMs < node.vouchedUntilMs) {
    writeGifted(state, watched(state, node))
    return
  }
  const forgetMs = node.vouchedUntilMs + numberOf(state, genesis, 'giftedForgetMs')
  if (nowMs >= forgetMs) {
    releaseGifted(state, node)
    return
  }
  schedule(state, forgetMs, giftedDue, account)
  writeGifted(state, { ...node, isActive: false, watchMs: forgetMs })
}

/**
 * What a quorum of validators saw of a gifted node. From then on the period's uptime is judged by it too: whichever of the
 * two says less counts.
 */
export function noteGiftedObserved(state: StateView, account: string, isReachable: boolean): void {
  const node = readGifted(state, account)
  if (node === undefined) return
  const { reachable, unreachable } = node.observed
  const observed = isReachable ? { reachable: reachable + 1, unreachable } : { reachable, unreachable: unreachable + 1 }
  writeGifted(state, { ...node, observed })
}
