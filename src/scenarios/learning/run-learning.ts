import type { Genesis, HandlerRegistry } from '../../dag/index.ts'
import { edgesOf, type Round, type RoundSummary, readRound, roundHistory } from '../../learning/index.ts'
import { type Participant, participant } from '../participant.ts'
import { createRandom } from '../seeded-random.ts'
import { type EventCount, SimulatedNetwork } from '../simulated-network.ts'
import { createFileSizes, type FileSizes } from './file-sizes.ts'
import { learningGenesis, regionName, type SimulatedOperator, tensorText } from './learning-genesis.ts'
import {
  Agenda,
  type LearningWorld,
  simulatedModel as model,
  type WaitKind,
  Waits,
  waitKinds
} from './learning-world.ts'
import { drawMachine, type Machine, type Traffic, Wires } from './machines.ts'
import { commitEveryMs, type LearningSetting } from './setting.ts'
import { SimulatedLearners, shardOf } from './simulated-learners.ts'
import { SimulatedOperators } from './simulated-operators.ts'

/** What one round took and sent. */
export type SimulatedRound = RoundSummary & {
  readonly traffic: Traffic
  readonly connections: number
  readonly primaries: number
  readonly regionSums: number
  /** Mean of those that committed. */
  readonly steps: number
  readonly trainedMs: number
}

export type LearningResult = {
  readonly setting: LearningSetting
  readonly rounds: readonly SimulatedRound[]
  /** Bytes of one learner's delta file, and of the update of all tiles. */
  readonly deltaBytes: number
  readonly updateBytes: number
  readonly rawBytes: number
  /** What 95 of 100 do not exceed. */
  readonly slowMs: Readonly<Record<WaitKind, number | null>>
  readonly failoverMs: number | null
  readonly events: readonly EventCount[]
  readonly stateRoot: string
}

/** A round that takes so many windows will not end any more. */
const windowsMax = 20
const shardBytes = 1_000_000
/** In which everybody encodes, works and commits. */
const lastOfWindowMs = 10_000

export function runLearning(given: {
  readonly setting: LearningSetting
  readonly createHandlers: (genesis: Genesis) => HandlerRegistry
  /** Of a run before: making them takes longer than a small network. */
  readonly sizes?: FileSizes
}): LearningResult {
  const { setting } = given
  const random = createRandom(setting.seed, 'learning')
  const operators = Array.from({ length: setting.operators }, (_, place): SimulatedOperator => {
    const name = `operator ${place + 1}`
    return {
      account: participant(name),
      validator: participant(`validator ${place + 1}`),
      region: place % setting.regions
    }
  })
  const genesis = learningGenesis(setting, operators)
  const network = new SimulatedNetwork(genesis, given.createHandlers(genesis))
  const servers = operators.map(({ account, region }, place) =>
    drawMachine(account, place, region, { setting, random, isServer: true })
  )
  const homes = Array.from({ length: setting.learners }, (_, place) =>
    drawMachine(participant(`learner ${place + 1}`), setting.operators + place, place % setting.regions, {
      setting,
      random,
      isServer: false
    })
  )
  const world: LearningWorld = {
    setting,
    genesis,
    network,
    random,
    wires: new Wires(setting),
    sizes: given.sizes ?? createFileSizes(),
    agenda: new Agenda(),
    waits: new Waits(),
    machines: new Map([...servers, ...homes].map(machine => [machine.who.account, machine]))
  }
  return new LearningRun(world, servers, homes).run()
}

class LearningRun {
  readonly #world: LearningWorld
  readonly #servers: readonly Machine[]
  readonly #learners: SimulatedLearners
  readonly #operators: SimulatedOperators
  readonly #rounds: SimulatedRound[] = []
  #round: Round | undefined
  #updates: ReturnType<SimulatedOperators['updatesOf']> = []
  #regionSums = 0
  #eventBytes = 0

  constructor(world: LearningWorld, servers: readonly Machine[], homes: readonly Machine[]) {
    this.#world = world
    this.#servers = servers
    this.#learners = new SimulatedLearners(world, homes)
    this.#operators = new SimulatedOperators(world, servers, account => this.#learners.shownAtMs(account))
  }

  run(): LearningResult {
    const { setting, network, agenda, sizes, waits } = this.#world
    publishTexts(this.#world, this.#servers)
    const endMs = network.nowMs + windowsMax * setting.rounds * setting.windowMs
    while (this.#rounds.length < setting.rounds && network.nowMs < endMs) {
      network.commit(this.#pauseMs(), () => 'present')
      agenda.run(network.nowMs)
      const round = readRound(network.state, model)
      if (round !== undefined) this.#follow(round)
      this.#learners.act(round, network.nowMs)
      if (round !== undefined) this.#operators.act(round)
    }
    return {
      setting,
      rounds: this.#rounds,
      deltaBytes: sizes.file(setting.codec, setting.tiles),
      updateBytes: sizes.file('int8', setting.tiles),
      rawBytes: sizes.raw(setting.tiles),
      slowMs: Object.fromEntries(waitKinds.map(kind => [kind, waits.slow(kind)])) as LearningResult['slowMs'],
      failoverMs: this.#operators.failoverMs,
      events: network.eventCounts,
      stateRoot: network.state.root()
    }
  }

  #pauseMs(): number {
    const { network, agenda } = this.#world
    const isTraining = this.#round?.phase === 'training' && this.#round.dueAtMs > network.nowMs + lastOfWindowMs
    const isQuiet = isTraining && agenda.nextMs > network.nowMs + commitEveryMs.training
    return isQuiet ? commitEveryMs.training : commitEveryMs.busy
  }

  #follow(round: Round): void {
    const before = this.#round
    this.#round = round
    if (round.phase === 'publishing' && before?.phase !== 'publishing') this.#updates = this.#operators.updatesOf()
    if (round.phase === 'measuring' && before?.phase !== 'measuring')
      this.#regionSums = edgesOf(this.#world.network.state, model).length
    if (before === undefined || before.number === round.number) return
    const summary = roundHistory(this.#world.network.state, model).at(-1)!
    if (summary.result === 'adopted') this.#learners.bringVersion(round.number, this.#updates)
    else this.#learners.keepVersion(round.number)
    this.#noteChain()
    const { steps, trainedMs, commits } = this.#learners.takeSum()
    this.#rounds.push({
      ...summary,
      ...this.#world.wires.take(),
      primaries: this.#updates.length,
      regionSums: this.#regionSums,
      steps: commits === 0 ? 0 : steps / commits,
      trainedMs
    })
    this.#updates = []
    this.#regionSums = 0
  }

  /** Every event goes to every validator. */
  #noteChain(): void {
    const { network, wires } = this.#world
    const bytes = network.eventBytes - this.#eventBytes
    this.#eventBytes = network.eventBytes
    const [first, ...others] = this.#servers
    for (const other of others) wires.count('chain', first!, other, bytes)
  }
}

/** Text to train on and text held out, one corpus a region. */
function publishTexts({ network, setting }: LearningWorld, servers: readonly Machine[]): void {
  for (let region = 0; region < setting.regions; region++) {
    const name = regionName(region)
    const who: Participant = servers[region % servers.length]!.who
    network.submit(who, 'corpus', {
      name,
      training: [{ shard: shardOf(region), bytes: shardBytes }],
      heldOut: [{ shard: tensorText(`held-out text of ${name}`), bytes: shardBytes }],
      licence: 'CC0-1.0'
    })
  }
}
