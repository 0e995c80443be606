import { share } from '../book/coins.ts'
import type { GiftedNode } from './node.ts'

const million = 1_000_000n

/** Counts what the heartbeats until now vouch for: time beyond the last one's reach is time away. */
export function counted(node: GiftedNode, nowMs: number): GiftedNode {
  const more = Math.min(nowMs, node.vouchedUntilMs) - node.countedUntilMs
  return { ...node, vouchedMs: node.vouchedMs + Math.max(0, more), countedUntilMs: nowMs }
}

/** Whoever keeps what was promised is paid by the promise; whoever does not by the square of what was kept, over it. */
export function uptimeFactor(uptimePpm: number, committedPpm: number): number {
  if (uptimePpm >= committedPpm) return committedPpm
  return Number(share(BigInt(uptimePpm), BigInt(uptimePpm), BigInt(committedPpm)))
}

/** Of the period: what heartbeats vouch for, and less when a quorum of validators saw less. */
export function uptimeOf(
  { vouchedMs, observed }: Pick<GiftedNode, 'vouchedMs' | 'observed'>,
  spanMs: number
): { readonly uptimePpm: number; readonly judgedBy: 'heartbeats' | 'observations' } {
  const byHeartbeats = spanMs === 0 ? 0 : Number(share(BigInt(vouchedMs), million, BigInt(spanMs)))
  const seen = observed.reachable + observed.unreachable
  if (seen === 0) return { uptimePpm: byHeartbeats, judgedBy: 'heartbeats' }
  const byObservations = Number(share(BigInt(observed.reachable), million, BigInt(seen)))
  return { uptimePpm: Math.min(byHeartbeats, byObservations), judgedBy: 'observations' }
}
