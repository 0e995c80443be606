import type { NodeState } from './blyan-node.ts'
import { listOf } from './quorum-health.ts'
import type { QuorumMode, SyncPhase, TransitionKind } from './status-types.ts'

/** What is compared from one look to the next. */
export type WatchedView = {
  readonly state: NodeState
  readonly reasons: readonly string[]
  readonly mode: QuorumMode
  /** Names of validators that are not there. */
  readonly missing: readonly string[]
  readonly epoch: number
  readonly syncPhase: SyncPhase | null
  readonly commits: number
  /** Whom the recovery of the signer waits for; null when it is not recovering. */
  readonly recoveryWaitsFor: readonly string[] | null
  readonly divergence: string | null
  readonly members: readonly {
    readonly name: string
    readonly connected: boolean
    readonly hasSlot: boolean
    readonly offences: number
  }[]
}

export type Transition = {
  readonly kind: TransitionKind
  readonly level: 'info' | 'warn' | 'error'
  readonly text: string
  /** The validator it is about. */
  readonly validator?: string
}

/** What has changed between two looks, in the order in which a person wants to read it. */
export function transitionsBetween(before: WatchedView, after: WatchedView): Transition[] {
  return [
    ...memberTransitions(before, after),
    ...quorumTransitions(before, after),
    ...epochTransitions(before, after),
    ...syncTransitions(before, after),
    ...signerTransitions(before, after),
    ...stateTransitions(before, after)
  ]
}

function memberTransitions(before: WatchedView, after: WatchedView): Transition[] {
  const known = new Map(before.members.map(member => [member.name, member]))
  return after.members.flatMap(member => {
    const earlier = known.get(member.name)
    if (earlier === undefined) return []
    const validator = member.name
    const found: Transition[] = []
    if (earlier.connected && !member.connected)
      found.push({ kind: 'member-lost', level: 'warn', text: `validator ${validator} is gone`, validator })
    if (!earlier.connected && member.connected)
      found.push({ kind: 'member-connected', level: 'info', text: `validator ${validator} is connected`, validator })
    if (earlier.hasSlot && !member.hasSlot)
      found.push({
        kind: 'slots-lost',
        level: 'warn',
        text: `validator ${validator} keeps missing and has lost its slots; it still votes`,
        validator
      })
    if (!earlier.hasSlot && member.hasSlot)
      found.push({
        kind: 'slots-regained',
        level: 'info',
        text: `validator ${validator} has its slots again`,
        validator
      })
    if (member.offences > earlier.offences)
      found.push({
        kind: 'offence',
        level: 'warn',
        text: `validator ${validator} has signed two vertices for one round; the proof is on the chain`,
        validator
      })
    return found
  })
}

function quorumTransitions(before: WatchedView, after: WatchedView): Transition[] {
  if (before.mode === after.mode) return []
  const missing = after.missing.length === 0 ? 'all validators' : listOf(after.missing)
  if (after.mode === 'stopped')
    return [{ kind: 'quorum-stopped', level: 'error', text: `ordering has stopped: ${missing} missing` }]
  if (after.mode === 'degraded')
    return [
      {
        kind: 'quorum-degraded',
        level: 'warn',
        text: `events are ordered and not final (degraded) until confirmed by ${missing}`
      }
    ]
  return [{ kind: 'quorum-final', level: 'info', text: 'a full quorum is there: events become final' }]
}

function epochTransitions(before: WatchedView, after: WatchedView): Transition[] {
  if (after.epoch <= before.epoch) return []
  const names = after.members.map(member => member.name)
  return [
    {
      kind: 'epoch-begun',
      level: 'info',
      text: `epoch ${after.epoch} has begun with ${names.length} validators`
    }
  ]
}

function syncTransitions(before: WatchedView, after: WatchedView): Transition[] {
  const found: Transition[] = []
  const was = { any: before.syncPhase !== null, snapshot: before.syncPhase === 'snapshot' }
  const is = { any: after.syncPhase !== null, snapshot: after.syncPhase === 'snapshot' }
  if (was.snapshot && !is.snapshot)
    found.push({ kind: 'state-sync-ended', level: 'info', text: `state sync has ended at commit ${after.commits}` })
  if (was.any && !is.any)
    found.push({ kind: 'catch-up-ended', level: 'info', text: `caught up at commit ${after.commits}` })
  if (!was.any && is.any)
    found.push({
      kind: 'catch-up-begun',
      level: 'info',
      text: `behind the others at commit ${after.commits}: catching up`
    })
  if (!was.snapshot && is.snapshot)
    found.push({ kind: 'state-sync-begun', level: 'info', text: 'far behind: fetching a snapshot of the state' })
  return found
}

function signerTransitions(before: WatchedView, after: WatchedView): Transition[] {
  const found: Transition[] = []
  if (before.divergence === null && after.divergence !== null)
    found.push({ kind: 'diverged', level: 'error', text: after.divergence })
  if (before.recoveryWaitsFor === null && after.recoveryWaitsFor !== null)
    found.push({
      kind: 'recovering',
      level: 'warn',
      text: `not known what this validator key signed last: asking ${listOf(after.recoveryWaitsFor)} before signing`
    })
  if (before.recoveryWaitsFor !== null && after.recoveryWaitsFor === null)
    found.push({
      kind: 'recovered',
      level: 'info',
      text: 'the others have said what this key signed: signing above it'
    })
  return found
}

function stateTransitions(before: WatchedView, after: WatchedView): Transition[] {
  if (before.state === after.state) return []
  const why = after.reasons.length === 0 ? '' : `: ${after.reasons.join('; ')}`
  return [
    {
      kind: 'state',
      level: after.state === 'degraded' ? 'warn' : 'info',
      text: `${before.state} -> ${after.state}${why}`
    }
  ]
}
