import { isBlyanError } from '../errors/index.ts'
import { type Network, networkLimits, PeerBudget } from '../net/index.ts'
import { completeBrief, decodeBrief } from './brief-vertex.ts'
import type { CatchUp } from './catch-up.ts'
import type { Replica } from './core/replica.ts'
import type { Vertex } from './core/vertex.ts'
import type { QuorumPeers } from './peers.ts'
import type { VertexIntake } from './vertex-intake.ts'
import { decodeAnnouncement, decodeProgress, feedFrame } from './wire.ts'

export type FeedIntakeNeeds = {
  readonly network: Network
  readonly peers: QuorumPeers
  readonly intake: VertexIntake
  readonly catchUp: CatchUp
  readonly replica: () => Replica
  readonly isStopped: () => boolean
  readonly pump: () => void
}

/** An honest peer says how far it is once a second at most. */
const progressAllowance = { perSecond: 5, burst: 50 }
const announcementAllowance = { perSecond: 20, burst: 200 }

/** What peers push: whole vertices, short ones, the names of vertices they have, and how far they are. */
export class FeedIntake {
  readonly #needs: FeedIntakeNeeds
  readonly #progress = new PeerBudget(progressAllowance, networkLimits.knownPeersMax)
  readonly #announcements = new PeerBudget(announcementAllowance, networkLimits.knownPeersMax)

  constructor(needs: FeedIntakeNeeds) {
    this.#needs = needs
  }

  /** A promise when there is no room for more of this peer until it is done. */
  take(peerId: string, frame: Uint8Array): Promise<void> | undefined {
    try {
      return this.#take(peerId, frame[0], frame.subarray(1))
    } catch (error) {
      this.#needs.network.penalise(peerId, 10, isBlyanError(error) ? error.code : 'bad feed frame')
      return undefined
    }
  }

  #take(peerId: string, kind: number | undefined, bytes: Uint8Array): Promise<void> | undefined {
    switch (kind) {
      case feedFrame.vertex:
        return this.#vertex(peerId, this.#needs.intake.decoded(peerId, bytes))
      case feedFrame.brief:
        return this.#brief(peerId, bytes)
      case feedFrame.progress:
        if (this.#isWithin(this.#progress, peerId)) {
          this.#needs.replica().peerProgress(peerId, decodeProgress(bytes))
          this.#needs.pump()
        }
        return undefined
      case feedFrame.announcement:
        if (this.#isWithin(this.#announcements, peerId)) {
          const { epoch, refs } = decodeAnnouncement(bytes)
          this.#needs.catchUp.announced(peerId, epoch, refs)
        }
        return undefined
      default:
        this.#needs.network.penalise(peerId, 5, 'unknown feed frame')
        return undefined
    }
  }

  #brief(peerId: string, bytes: Uint8Array): Promise<void> | undefined {
    const brief = decodeBrief(bytes)
    if (!this.#needs.intake.isWelcome(brief, brief.digest)) return undefined
    const replica = this.#needs.replica()
    const vertex = completeBrief(brief, author => {
      const slot = replica.slot(brief.round - 1, author)
      return slot.length === 1 ? slot[0]!.digest : undefined
    })
    if (vertex !== undefined) return this.#vertex(peerId, vertex)
    // Its parents are not what we have: the whole one, then.
    if (this.#isWithin(this.#announcements, peerId)) this.#needs.catchUp.announced(peerId, brief.epoch, [brief])
    return undefined
  }

  #vertex(peerId: string, vertex: Vertex | undefined): Promise<void> | undefined {
    if (vertex === undefined || !this.#needs.intake.isWelcome(vertex.header, vertex.digest)) return undefined
    if (!this.#needs.peers.maySend(peerId, vertex.header.author)) {
      this.#needs.network.penalise(peerId, 1, 'vertex of somebody else')
      return undefined
    }
    void this.#verify(peerId, vertex)
    return this.#needs.intake.roomFor(peerId)
  }

  async #verify(peerId: string, vertex: Vertex): Promise<void> {
    const verified = await this.#needs.intake.verified(peerId, vertex).catch(() => undefined)
    if (verified === undefined || this.#needs.isStopped()) return
    this.#needs.replica().receive(peerId, [verified])
    this.#needs.pump()
  }

  #isWithin(budget: PeerBudget, peerId: string): boolean {
    if (budget.trySpend(peerId)) return true
    this.#needs.network.penalise(peerId, 1, 'too many frames')
    return false
  }
}
