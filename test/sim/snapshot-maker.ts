import type { CertifiedCheckpoint } from '../../src/consensus/core/votes.ts'
import { recentCommits } from './restored.ts'
import type { Part, SimulatedDisk } from './simulated-disk.ts'
import type { Checkpoint, Ledger } from './simulated-ledger.ts'
import type { World } from './world.ts'

/** Now and then keeps the state of a checkpoint, to offer it once the checkpoint is certified; may forget what lies below. */
export class SnapshotMaker {
  readonly #world: World
  #pending: { readonly ledger: Ledger; readonly checkpoint: Checkpoint } | undefined

  constructor(world: World) {
    this.#world = world
  }

  executed(checkpoint: Checkpoint, ledger: Ledger): void {
    const every = this.#world.plan.snapshotEveryCheckpoints
    if (every === 0 || checkpoint.sequence % every !== 0) return
    if (ledger.lastCommit?.index === checkpoint.commitIndex) this.#pending = { ledger: ledger.clone(), checkpoint }
  }

  certified(certificate: CertifiedCheckpoint, disk: SimulatedDisk): Part[] {
    const pending = this.#pending
    if (pending?.checkpoint.sequence !== certificate.sequence) return []
    this.#pending = undefined
    const recent = recentCommits(disk.image.commits, pending.checkpoint.commitIndex, this.#world.parameters)
    const parts: Part[] = [{ kind: 'snapshot', snapshot: { ...pending, certificate, recent, isForged: false } }]
    if (this.#world.plan.isPruning) parts.push({ kind: 'pruned', belowIndex: recent[0]!.commit.index })
    return parts
  }

  forget(): void {
    this.#pending = undefined
  }
}
