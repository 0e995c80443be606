import { bytesToHex, sha256 } from '../../codec/index.ts'
import {
  assignmentOf,
  commitmentOf,
  type LearnerHand,
  learnerOf,
  nextLearnerStep,
  type Round
} from '../../learning/index.ts'
import type { Participant } from '../participant.ts'
import { regionName, tensorText } from './learning-genesis.ts'
import { type LearningWorld, simulatedModel as model } from './learning-world.ts'
import type { File, Machine } from './machines.ts'
import { type LearningSetting, workMs } from './setting.ts'

/** One who trains: a machine, and what it has in hand. */
class SimulatedLearner {
  readonly machine: Machine
  readonly joinAtMs: number
  hasAskedToJoin = false
  /** Round whose opening version it has, and since when; undefined until the first came. */
  base: { readonly round: number; readonly atMs: number } | undefined
  delta:
    | { readonly round: number; readonly baseRound: number; readonly readyAtMs: number; readonly steps: number }
    | undefined
  committed = 0
  revealed = 0
  lostInRound = 0

  constructor(machine: Machine, joinAtMs: number) {
    this.machine = machine
    this.joinAtMs = joinAtMs
  }

  get who(): Participant {
    return this.machine.who
  }
}

export type TrainingSum = { readonly steps: number; readonly trainedMs: number; readonly commits: number }

/** Everybody who trains. Each does what the driver of a real node decides (`nextLearnerStep`). */
export class SimulatedLearners {
  readonly #world: LearningWorld
  readonly #all: readonly SimulatedLearner[]
  readonly #uploads = new Map<string, number>()
  #sum = { steps: 0, trainedMs: 0, commits: 0 }

  constructor(world: LearningWorld, machines: readonly Machine[]) {
    const { setting, random, network } = world
    this.#world = world
    this.#all = machines.map(machine => {
      const comesLater = random.happens(setting.newcomersPpm)
      return new SimulatedLearner(machine, network.nowMs + (comesLater ? random.next() * setting.windowMs : 0))
    })
  }

  act(round: Round | undefined, nowMs: number): void {
    for (const learner of this.#all) {
      if (nowMs < learner.joinAtMs || (round !== undefined && learner.lostInRound === round.number)) continue
      this.#step(learner, round, nowMs)
    }
  }

  /** A new version of all parts is there: it comes to every region once, and from there from learner to learner. */
  bringVersion(round: number, files: readonly (File & { readonly from: Machine })[]): void {
    const { wires, network, waits } = this.#world
    const joined = this.#all.filter(({ base }) => base !== undefined)
    const byRegion = Map.groupBy(joined, ({ machine }) => machine.region)
    for (const learners of byRegion.values()) {
      // Nobody waits for somebody with a slow line to pass it on.
      learners.sort((one, other) => other.machine.upBytesPerMs - one.machine.upBytesPerMs)
      const here: number[] = []
      for (const [place, { machine }] of learners.entries()) {
        const from = place === 0 ? undefined : Math.floor((place - 1) / 2)
        const arrivals = files.map(file =>
          from === undefined
            ? wires.bring('update', file.from, machine, file, network.nowMs)
            : wires.bring('update', learners[from]!.machine, machine, file, here[from]!)
        )
        here[place] = Math.max(network.nowMs, ...arrivals)
        waits.note('download', here[place] - network.nowMs)
      }
      for (const [place, learner] of learners.entries()) learner.base = { round, atMs: here[place]! }
    }
  }

  /** The version stays what it was: everybody has it. */
  keepVersion(round: number): void {
    for (const learner of this.#all) if (learner.base !== undefined) learner.base = { ...learner.base, round }
  }

  /** Since when somebody's delta of this round could be fetched. */
  shownAtMs(account: string): number {
    return this.#uploads.get(account) ?? 0
  }

  takeSum(): TrainingSum {
    const sum = this.#sum
    this.#sum = { steps: 0, trainedMs: 0, commits: 0 }
    return sum
  }

  #step(learner: SimulatedLearner, round: Round | undefined, nowMs: number): void {
    const isJoined = learner.hasAskedToJoin
    const base = learner.base !== undefined && learner.base.atMs <= nowMs ? learner.base : undefined
    const delta = learner.delta !== undefined && learner.delta.round === round?.number ? learner.delta : undefined
    const hand: LearnerHand = {
      isJoined,
      baseRound: base?.round,
      steps: base === undefined || round === undefined ? 0 : stepsOf(learner, base.atMs, round, nowMs),
      ready: delta,
      hasCommitted: learner.committed === round?.number,
      hasRevealed: learner.revealed === round?.number
    }
    if (!isJoined || learner.base === undefined) {
      this.#join(learner, round)
      return
    }
    if (base === undefined || round === undefined) return
    const step = nextLearnerStep(hand, round, nowMs, reserveMs(this.#world.setting))
    if (step.kind === 'encode') this.#encode(learner, base.round, hand.steps, round, nowMs)
    else if (step.kind === 'commit' && nowMs >= delta!.readyAtMs) this.#commit(learner, round)
    else if (step.kind === 'reveal') this.#reveal(learner, round, nowMs)
  }

  /** A newcomer needs all of the model whole; somebody in its region has it, else an operator. */
  #join(learner: SimulatedLearner, round: Round | undefined): void {
    const { network, wires, sizes, setting, random } = this.#world
    if (!learner.hasAskedToJoin) {
      const region = regionName(learner.machine.region)
      network.submit(learner.who, 'learner-join', { model, region, parts: ['*'], bytesMax: 0 })
      learner.hasAskedToJoin = true
    }
    if (round === undefined) return
    const near = this.#all.filter(
      ({ base, machine }) => base !== undefined && machine.region === learner.machine.region
    )
    // Genesis is drawn by every machine itself.
    const isGenesis = round.number === 1
    const from = near.length === 0 ? [...this.#world.machines.values()][0]! : random.pick(near).machine
    const atMs = isGenesis
      ? network.nowMs
      : wires.bring(
          'newcomer',
          from,
          learner.machine,
          { name: 'model', sizeBytes: sizes.raw(setting.tiles) },
          network.nowMs
        )
    learner.base = { round: round.number, atMs }
  }

  #encode(learner: SimulatedLearner, baseRound: number, steps: number, round: Round, nowMs: number): void {
    const { setting } = this.#world
    const readyAtMs = nowMs + setting.tiles * workMs.encodeTile + workMs.proofOfWork
    learner.delta = { round: round.number, baseRound, readyAtMs, steps }
    this.#sum = {
      steps: this.#sum.steps + steps,
      trainedMs: this.#sum.trainedMs + steps * learner.machine.stepMs,
      commits: this.#sum.commits + 1
    }
  }

  #commit(learner: SimulatedLearner, round: Round): void {
    const { network, random, setting } = this.#world
    const { delta, salt } = hiddenOf(learner, round)
    const commitment = commitmentOf({ delta, salt, account: learner.who.account })
    const tokens = tokensOf(learner, setting)
    const { number } = round
    network.submit(learner.who, 'delta-commit', {
      model,
      round: number,
      baseRound: learner.delta!.baseRound,
      commitment,
      tokens,
      nonce: 0
    })
    learner.committed = number
    if (random.happens(setting.lostPpm)) learner.lostInRound = number
  }

  #reveal(learner: SimulatedLearner, round: Round, nowMs: number): void {
    const { network, setting, sizes, genesis } = this.#world
    if (learnerOf(network.state, model, learner.who.account)?.lastCommitRound !== round.number) return
    const { delta, salt } = hiddenOf(learner, round)
    const { seed } = assignmentOf(network.state, genesis, model, learner.who.account)
    const steps = learner.delta!.steps
    const shard = shardOf(learner.machine.region)
    network.submit(learner.who, 'delta-reveal', {
      model,
      round: round.number,
      delta,
      salt,
      sizeBytes: sizes.file(setting.codec, setting.tiles),
      lineage: {
        shards: [{ shard, samples: steps }],
        seed,
        batchesDigest: digestText(`batches ${delta}`),
        steps,
        tokens: tokensOf(learner, setting)
      }
    })
    learner.revealed = round.number
    this.#uploads.set(learner.who.account, nowMs + workMs.submit)
  }
}

/** The training shard that the text of a region is. */
export function shardOf(region: number): string {
  return tensorText(`training text of ${regionName(region)}`)
}

function stepsOf(learner: SimulatedLearner, baseAtMs: number, round: Round, nowMs: number): number {
  const sinceMs = Math.max(baseAtMs, round.openedAtMs, learner.joinAtMs)
  return Math.max(0, Math.floor((nowMs - sinceMs) / learner.machine.stepMs))
}

function tokensOf(learner: SimulatedLearner, setting: LearningSetting): number {
  return Math.max(1, Math.round((learner.delta!.steps * learner.machine.stepMs * setting.tokensPerSecond) / 1000))
}

/** What a learner keeps free at the end of the window: encoding, work, the way of the commit. */
function reserveMs({ tiles }: LearningSetting): number {
  return tiles * workMs.encodeTile + workMs.proofOfWork + 2000
}

function hiddenOf(learner: SimulatedLearner, { number }: Round): { readonly delta: string; readonly salt: string } {
  const name = `${learner.who.name} in round ${number}`
  return { delta: tensorText(`delta of ${name}`), salt: digestText(`salt of ${name}`) }
}

function digestText(text: string): string {
  return bytesToHex(sha256(new TextEncoder().encode(text)))
}
