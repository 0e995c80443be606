import type { Commit, Committee, ConsensusParameters, Vertex } from '../../src/consensus/index.ts'
import type { EventQueue } from './event-queue.ts'
import type { Judge } from './judge.ts'
import type { Keyring } from './keyring.ts'
import type { Plan } from './plan.ts'
import type { Random } from './random.ts'
import type { CrashPoint } from './simulated-disk.ts'
import type { LedgerRules } from './simulated-ledger.ts'
import type { SimulatedNetwork } from './simulated-network.ts'
import type { Trace } from './trace.ts'
import type { VertexVerdicts } from './vertex-verdicts.ts'

/** Told of every commit that an honest node decides, before it is executed there. */
export type CommitWatch = (committee: Committee, commit: Commit, vertices: readonly Vertex[]) => void

/** What all nodes of a run share. */
export type World = {
  readonly plan: Plan
  readonly parameters: ConsensusParameters
  readonly rules: LedgerRules
  readonly queue: EventQueue
  readonly network: SimulatedNetwork
  readonly keyring: Keyring
  readonly verdicts: VertexVerdicts
  readonly judge: Judge
  readonly trace: Trace
  readonly diskRandom: Random
  readonly watch: CommitWatch | undefined
  /** Keys of the members of an epoch, as far as anybody has got. */
  keysOf(epoch: number): readonly string[]
  wallMs(node: number): number
  monotonicMs(node: number): number
  /** The process of `node` died at a write. */
  onCrash(node: number, how: CrashPoint): void
}
