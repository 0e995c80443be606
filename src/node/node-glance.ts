import { publicKeyToText } from '../codec/index.ts'
import type { Committee, QuorumView } from '../consensus/index.ts'
import { BlyanError, describeError } from '../errors/index.ts'
import type { MemberStatus, NodeState, OriginRisk, QuorumMode, SyncStatus } from './blyan-node.ts'
import { committeeOf } from './finality.ts'
import type { NodeParts } from './node-parts.ts'
import { OffenceCount } from './offences.ts'
import { originAlarms, originsOf } from './origins.ts'
import { listOf, mayDegrade, type QuorumHealth, quorumHealth } from './quorum-health.ts'
import { type SyncInput, SyncProgress, syncText } from './sync-progress.ts'

/** Rounds that a member may lag behind before a node that is not connected to it takes it for gone. */
const lagRoundsMax = 16

/** How a node is, from what its parts hold in memory: cheap enough to look several times a second. */
export type Glance = {
  readonly view: QuorumView
  readonly committee: Committee
  readonly state: NodeState
  readonly mode: QuorumMode
  readonly connectedWeight: number
  readonly missing: readonly string[]
  readonly notReady: readonly string[]
  /** What it lacks while it goes on. */
  readonly degraded: readonly string[]
  readonly members: readonly MemberStatus[]
  readonly origins: readonly OriginRisk[]
  readonly sync: SyncStatus | null
  readonly recoveryWaitsFor: readonly string[] | null
  readonly alarms: readonly string[]
  readonly nextStep: string | null
}

/** Looks at the parts of a node and says how it is. Remembers only what rates and ages need. */
export class NodeGlancer {
  readonly #parts: NodeParts
  readonly #isStopping: () => boolean
  readonly #offences: OffenceCount
  readonly #progress = new SyncProgress()
  #uncertified = { sequence: -1, sinceMs: 0 }
  #bundle: string | null = null

  constructor(parts: NodeParts, isStopping: () => boolean) {
    this.#parts = parts
    this.#offences = new OffenceCount(parts.chains)
    this.#isStopping = isStopping
  }

  /** Where the diagnostic bundle of a divergence lies. */
  get bundle(): string | null {
    return this.#bundle
  }

  noteBundle(path: string): void {
    this.#bundle = path
  }

  look(nowMs = performance.now()): Glance {
    const view = this.#parts.quorum.view()
    const committee = committeeOf(this.#parts)
    const health = quorumHealth(committee, author => this.#isPresent(view, author), this.#uncertifiedMs(nowMs))
    const nameOf = (author: number): string => committee.validators[author]?.name ?? `validator ${author}`
    const missing = health.missing.map(nameOf)
    const recoveryWaitsFor = view.recoveringFrom.length > 0 ? view.recoveringFrom.map(nameOf) : null
    const sync = this.#progress.see(nowMs, syncInputOf(view, this.#parts.stateSync.progress()))
    const notReady = this.#notReady({ view, committee, health, missing, recoveryWaitsFor, sync })
    const degraded = this.#isStopping() ? [] : degradedReasons(health.mode, missing, committee)
    const origins = originsOf(committee)
    const members = this.#members(view, committee)
    const state = this.#state({ view, notReady, degraded, sync, recoveryWaitsFor })
    return {
      view,
      committee,
      state,
      mode: health.mode,
      connectedWeight: health.weight,
      missing,
      notReady,
      degraded,
      members,
      origins,
      sync,
      recoveryWaitsFor,
      alarms: this.#alarms(view, committee, members, origins),
      nextStep: this.#nextStep({ view, state, notReady, degraded, sync, missing, recoveryWaitsFor })
    }
  }

  #isPresent(view: QuorumView, author: number): boolean {
    const member = view.members[author]
    if (member === undefined) return false
    if (member.connected) return true
    // A follower hears of most validators through others: their vertices show that they are there.
    return view.self === undefined && member.lastRound + lagRoundsMax >= view.round
  }

  /** For how long something executed has waited and no certificate has come. */
  #uncertifiedMs(nowMs: number): number {
    const { chains } = this.#parts
    const { checkpoint, eventsSinceCheckpoint } = chains.openCheckpoint()
    const isWaiting = checkpoint !== undefined || eventsSinceCheckpoint > 0
    if (!isWaiting) this.#uncertified = { sequence: -1, sinceMs: nowMs }
    else if (this.#uncertified.sequence !== chains.certifiedSequence)
      this.#uncertified = { sequence: chains.certifiedSequence, sinceMs: nowMs }
    return nowMs - this.#uncertified.sinceMs
  }

  #notReady(found: {
    view: QuorumView
    committee: Committee
    health: QuorumHealth
    missing: readonly string[]
    recoveryWaitsFor: readonly string[] | null
    sync: SyncStatus | null
  }): string[] {
    const { view, committee, health, missing, recoveryWaitsFor, sync } = found
    const reasons: string[] = []
    if (this.#isStopping()) reasons.push('stopping')
    if (view.divergence !== undefined) reasons.push(view.divergence)
    if (recoveryWaitsFor !== null) reasons.push(recoveryText(recoveryWaitsFor).message)
    if (sync !== null) reasons.push(`catching up: ${syncText(sync)}`)
    const count = committee.validators.length
    // What counts is who can vote together: a follower needs one of them to hear from.
    if (view.self === undefined) {
      if (view.connectedValidators === 0) reasons.push(`0 of ${count} validators connected, 1 needed`)
    } else if (health.mode === 'stopped') {
      const what = view.commits === 0 ? 'waiting for validators' : 'ordering has stopped'
      reasons.push(
        `${what}: ${view.connectedValidators} of ${count} validators connected, ${committee.orderingWeight} needed; ${listOf(missing)} missing`
      )
    }
    return reasons
  }

  #state(found: {
    view: QuorumView
    notReady: readonly string[]
    degraded: readonly string[]
    sync: SyncStatus | null
    recoveryWaitsFor: readonly string[] | null
  }): NodeState {
    const { view, notReady, degraded, sync, recoveryWaitsFor } = found
    if (this.#isStopping()) return 'stopping'
    if (view.divergence !== undefined) return 'degraded'
    if (sync !== null || recoveryWaitsFor !== null) return 'syncing'
    if (notReady.length > 0) return view.commits === 0 ? 'starting' : 'degraded'
    return degraded.length > 0 ? 'degraded' : 'ready'
  }

  #members(view: QuorumView, committee: Committee): MemberStatus[] {
    const offences = this.#offences.of(committee)
    return committee.validators.map((validator, author) => {
      const key = publicKeyToText(validator.publicKey)
      return {
        id: key,
        name: validator.name,
        origin: validator.origin,
        region: validator.region,
        weight: validator.weight,
        connected: view.members[author]?.connected ?? false,
        lastRound: view.members[author]?.lastRound ?? 0,
        hasSlot: view.slots[author] ?? true,
        presence: view.presence[author] ?? null,
        waitedFor: view.waitedFor.includes(author),
        lateMs: Math.round(view.lateMs[author] ?? 0),
        offences: offences.get(key) ?? 0
      }
    })
  }

  #alarms(
    view: QuorumView,
    committee: Committee,
    members: readonly MemberStatus[],
    origins: readonly OriginRisk[]
  ): string[] {
    const alarms: string[] = []
    if (view.divergence !== undefined)
      alarms.push(
        this.#bundle === null
          ? view.divergence
          : `${view.divergence}; what is needed to find out why is in ${this.#bundle}`
      )
    if (this.#parts.network.agreement().alarm) alarms.push('fewer than 75% of the peers asked share our genesis')
    for (const { name, offences } of members)
      if (offences > 0)
        alarms.push(`validator ${name} has signed two vertices for one round (${offences} on the chain)`)
    return [...alarms, ...originAlarms(committee, origins)]
  }

  #nextStep(found: {
    view: QuorumView
    state: NodeState
    notReady: readonly string[]
    degraded: readonly string[]
    sync: SyncStatus | null
    missing: readonly string[]
    recoveryWaitsFor: readonly string[] | null
  }): string | null {
    const { view, state, notReady, degraded, sync, missing, recoveryWaitsFor } = found
    if (state === 'ready') return null
    if (view.divergence !== undefined)
      return 'run "blyan-node chain verify" and compare this node with others before you trust it'
    if (recoveryWaitsFor !== null) return recoveryText(recoveryWaitsFor).nextStep
    if (sync !== null) return `wait: the node is fetching what it missed (${syncText(sync)})`
    if (notReady.length > 0) return `${notReady[0]}: check network.peers and the other nodes`
    if (degraded.length > 0)
      return missing.length === 0
        ? 'look at the validators with "blyan-node peers": one of them does not confirm'
        : `bring ${listOf(missing)} back, or mend the connection: until then events stay degraded`
    return null
  }
}

function degradedReasons(mode: QuorumMode, missing: readonly string[], committee: Committee): string[] {
  if (mode !== 'degraded' || !mayDegrade(committee)) return []
  return [
    missing.length === 0
      ? 'events are degraded: not all validators confirm them'
      : `events are degraded until confirmed by ${listOf(missing)}`
  ]
}

function recoveryText(waitsFor: readonly string[]): { readonly message: string; readonly nextStep: string } {
  return describeError(new BlyanError('SIGNER_RECOVERY_WAITING', { waitsFor: listOf(waitsFor) }))
}

function syncInputOf(
  { commits, syncing }: QuorumView,
  snapshot: { readonly bytes: number; readonly totalBytes: number } | undefined
): SyncInput | undefined {
  const commit = syncing?.commitIndex ?? commits
  const targetCommit = syncing?.targetCommitIndex ?? commits
  if (snapshot !== undefined)
    return { phase: 'snapshot', commit, targetCommit, bytesDone: snapshot.bytes, bytesTotal: snapshot.totalBytes }
  if (syncing === undefined) return undefined
  // Beyond the last certified commit only vertices are left to fetch.
  const phase = commit >= targetCommit ? 'vertices' : 'commits'
  return { phase, commit, targetCommit, bytesDone: 0, bytesTotal: 0 }
}
