/**
 * What this node thinks of the peers that compute for it. One wrong answer puts a peer in quarantine at once; it comes
 * back under probation after five minutes, and stays longer each time it is caught again. It is an opinion of this
 * node alone: nobody else acts on it. Source: docs/design.md, "Answers that can be checked".
 */
export type Standing = 'good' | 'probation' | 'quarantined'

/** What was found: an answer checked and right, an answer that weights do not give, a proof that is missing, or silence. */
export type Finding = 'right' | 'wrong' | 'commitment-broken' | 'weights-unproven' | 'failed'

export type ReputationLimits = {
  readonly peersMax: number
  readonly quarantineMs: number
  readonly quarantineMsMax: number
  /** How long somebody who failed to answer is under probation. */
  readonly failedProbationMs: number
  /** Checked answers in a row, all right, that end probation. */
  readonly rightToRecover: number
  /** Checked answers, all right, after which a newcomer is checked no more often than others. */
  readonly rightToBeKnown: number
}

export const reputationLimits: ReputationLimits = Object.freeze({
  peersMax: 4096,
  quarantineMs: 5 * 60_000,
  quarantineMsMax: 24 * 3_600_000,
  failedProbationMs: 5 * 60_000,
  rightToRecover: 5,
  rightToBeKnown: 5
})

export type PeerRecord = {
  readonly peerId: string
  readonly standing: Standing
  readonly checked: number
  readonly wrong: number
  /** The end of quarantine; null when there is none. */
  readonly quarantinedUntilMs: number | null
  readonly lastFinding: Finding
}

export interface Reputation {
  standing(peerId: string, nowMs: number): Standing
  note(peerId: string, finding: Finding, nowMs: number): void
  /** Whether its calls are checked more often: a newcomer, or somebody under probation. */
  isWatched(peerId: string, nowMs: number): boolean
  /** All peers anything was found of. */
  records(nowMs: number): readonly PeerRecord[]
}

export function createReputation(limits: Partial<ReputationLimits> = {}): Reputation {
  return new RememberedReputation({ ...reputationLimits, ...limits })
}

type Memory = {
  checked: number
  wrong: number
  rightInRow: number
  /** Set while not yet forgiven: quarantine until this time, probation after it. */
  quarantinedUntilMs: number | undefined
  failedAtMs: number | undefined
  last: Finding
}

class RememberedReputation implements Reputation {
  readonly #limits: ReputationLimits
  /** The one that was noted longest ago comes first. */
  readonly #peers = new Map<string, Memory>()

  constructor(limits: ReputationLimits) {
    this.#limits = limits
  }

  standing(peerId: string, nowMs: number): Standing {
    const peer = this.#peers.get(peerId)
    return peer === undefined ? 'good' : this.#standingOf(peer, nowMs)
  }

  note(peerId: string, finding: Finding, nowMs: number): void {
    const peer = this.#peers.get(peerId) ?? newcomer(finding)
    peer.last = finding
    if (finding === 'failed') {
      peer.failedAtMs = nowMs
      peer.rightInRow = 0
    } else if (finding === 'right') this.#noteRight(peer, nowMs)
    else this.#noteWrong(peer, nowMs)
    this.#peers.delete(peerId)
    if (this.#peers.size >= this.#limits.peersMax) this.#forgetOne(nowMs)
    this.#peers.set(peerId, peer)
  }

  isWatched(peerId: string, nowMs: number): boolean {
    const peer = this.#peers.get(peerId)
    if (peer === undefined || peer.checked < this.#limits.rightToBeKnown) return true
    return this.#standingOf(peer, nowMs) !== 'good'
  }

  records(nowMs: number): readonly PeerRecord[] {
    return [...this.#peers].map(([peerId, peer]) => ({
      peerId,
      standing: this.#standingOf(peer, nowMs),
      checked: peer.checked,
      wrong: peer.wrong,
      quarantinedUntilMs: this.#standingOf(peer, nowMs) === 'quarantined' ? (peer.quarantinedUntilMs ?? null) : null,
      lastFinding: peer.last
    }))
  }

  #standingOf({ quarantinedUntilMs, failedAtMs }: Memory, nowMs: number): Standing {
    if (quarantinedUntilMs !== undefined) return nowMs < quarantinedUntilMs ? 'quarantined' : 'probation'
    const isShaky = failedAtMs !== undefined && nowMs - failedAtMs < this.#limits.failedProbationMs
    return isShaky ? 'probation' : 'good'
  }

  #noteRight(peer: Memory, nowMs: number): void {
    peer.checked++
    peer.rightInRow++
    // What was still on its way when it was put in quarantine does not shorten it.
    if (this.#standingOf(peer, nowMs) === 'quarantined') peer.rightInRow = 0
    if (peer.rightInRow < this.#limits.rightToRecover) return
    peer.quarantinedUntilMs = undefined
    peer.failedAtMs = undefined
  }

  #noteWrong(peer: Memory, nowMs: number): void {
    const { quarantineMs, quarantineMsMax } = this.#limits
    // Calls that were on their way together are one offence.
    if (this.#standingOf(peer, nowMs) !== 'quarantined') {
      peer.wrong++
      peer.quarantinedUntilMs = nowMs + Math.min(quarantineMs * 2 ** Math.min(peer.wrong - 1, 30), quarantineMsMax)
    }
    peer.checked++
    peer.rightInRow = 0
  }

  /** Nobody gets out of quarantine because many others came by: who was never caught is forgotten first. */
  #forgetOne(nowMs: number): void {
    let oldest: string | undefined
    for (const [peerId, peer] of this.#peers) {
      oldest ??= peerId
      if (peer.wrong > 0 && this.#standingOf(peer, nowMs) !== 'good') continue
      oldest = peerId
      break
    }
    if (oldest !== undefined) this.#peers.delete(oldest)
  }
}

function newcomer(last: Finding): Memory {
  return { checked: 0, wrong: 0, rightInRow: 0, quarantinedUntilMs: undefined, failedAtMs: undefined, last }
}
