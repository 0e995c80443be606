import { bytesToHex } from '../../src/codec/index.ts'
import type { Committee } from '../../src/consensus/core/committee.ts'
import { type ConsensusParameters, defaultParameters } from '../../src/consensus/core/parameters.ts'
import { Replica } from '../../src/consensus/core/replica.ts'
import type { Effect, Restored } from '../../src/consensus/core/replica-types.ts'
import type { Vertex } from '../../src/consensus/core/vertex.ts'
import { genesisDigest } from './dag-builder.ts'

/** A replica by itself: what comes in is given by hand, what it wants done is looked at. Signing and storing are instant. */
export class LoneReplica {
  readonly replica: Replica
  readonly effects: Effect[] = []
  nowMs = 0
  closesAt: number | undefined

  constructor(
    committee: Committee,
    options: {
      self?: number
      isRecovering?: boolean
      parameters?: Partial<ConsensusParameters>
      restored?: Partial<Restored>
    } = {}
  ) {
    this.replica = new Replica({
      epoch: { committee, digest: genesisDigest, timestampMs: 0 },
      self: options.self,
      parameters: { ...defaultParameters, ...options.parameters },
      context: { monotonicMs: () => this.nowMs, wallMs: () => this.nowMs },
      isRecovering: options.isRecovering ?? false,
      restored: {
        point: { index: 0, round: committee.baseRound, digest: bytesToHex(genesisDigest), timestampMs: 0 },
        gcRound: committee.baseRound - 1,
        committed: [],
        recentCommits: [],
        vertices: [],
        floorRound: 0,
        ownEvents: [],
        waitingEvents: [],
        certifiedSequence: 0,
        certifiedCommitIndex: 0,
        ...options.restored
      }
    })
  }

  /** Takes what it wants done; executes commits and signs vertices on the way, as a shell with a fast disk would. */
  settle(): this {
    for (let effects = this.replica.takeEffects(); effects.length > 0; effects = this.replica.takeEffects()) {
      for (const effect of effects) {
        this.effects.push(effect)
        if (effect.kind === 'sign') this.replica.signed({ ...effect, signature: new Uint8Array(64) })
        if (effect.kind === 'commit')
          this.replica.executed(effect.commit.index, {
            ordered: [],
            eventsSinceCheckpoint: 0,
            epochClosesAt: this.closesAt
          })
      }
    }
    return this
  }

  receive(...vertices: readonly Vertex[]): this {
    this.replica.receive('peer', vertices)
    return this.settle()
  }

  wait(ms: number): this {
    this.nowMs += ms
    this.replica.tick()
    return this.settle()
  }

  of<K extends Effect['kind']>(kind: K): Extract<Effect, { kind: K }>[] {
    return this.effects.filter(effect => effect.kind === kind) as Extract<Effect, { kind: K }>[]
  }
}
