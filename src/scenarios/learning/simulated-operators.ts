import type { CID } from '../../codec/index.ts'
import {
  chainLimits,
  edgeOf,
  edgesOf,
  primariesOf,
  type Reveal,
  type Round,
  readCandidate,
  resultsOf,
  revealsOf,
  roundParts,
  roundRules,
  weightPpmOf
} from '../../learning/index.ts'
import { phasesMs, tensorText } from './learning-genesis.ts'
import { type LearningWorld, simulatedModel as model } from './learning-world.ts'
import type { File, Machine, TrafficKind } from './machines.ts'
import { commitEveryMs, workMs } from './setting.ts'

/** What was measured where there is no model: a loss of 2 nats, and a gain that is beyond doubt. */
const measured = {
  sequences: 256,
  beforeNano: 2_000_000_000,
  afterNano: 1_990_000_000,
  gainNano: 10_000_000,
  errorNano: 1_000_000
}
const gainNano = 8_000_000
const updateCodec = 'int8'
const regionCodec = 'int4'

/** Something a primary adds up: a delta, or the sum of a region. */
type Input = { readonly machine: Machine; readonly file: File; readonly atMs: number }

/** Those who run validators, and learners drawn to sum up their region: edges, primaries, backups, measurers. */
export class SimulatedOperators {
  readonly #world: LearningWorld
  readonly #all: readonly Machine[]
  readonly #shownAtMs: (account: string) => number
  #aggregated = 0
  #measured = ''
  #published = 0
  #failoverMs: number | null = null

  constructor(world: LearningWorld, all: readonly Machine[], shownAtMs: (account: string) => number) {
    this.#world = world
    this.#all = all
    this.#shownAtMs = shownAtMs
  }

  /** Of the round with a silent primary: from when on backups may act until the result was there. */
  get failoverMs(): number | null {
    return this.#failoverMs
  }

  act(round: Round): void {
    if (round.phase === 'aggregating' && this.#aggregated !== round.number) {
      this.#aggregated = round.number
      this.#aggregate(round)
    }
    if (round.phase === 'measuring' && round.candidate !== null && this.#measured !== round.candidate) {
      this.#measured = round.candidate
      this.#measure(round)
    }
    if (round.phase === 'publishing' && this.#published !== round.number) {
      this.#published = round.number
      this.#publish(round)
    }
  }

  /** Update files of the round that is being published, and whose machines have them. */
  updatesOf(): (File & { readonly from: Machine })[] {
    const { network, sizes } = this.#world
    const results = resultsOf(network.state, model).filter(({ update }) => update !== null)
    return [...Map.groupBy(results, ({ update }) => update!)].map(([update, of]) => ({
      from: this.#machineOf(of[0]!.author),
      name: update,
      sizeBytes: sizes.file(updateCodec, of.length)
    }))
  }

  #aggregate(round: Round): void {
    const { network, genesis, setting, sizes, waits } = this.#world
    const { state } = network
    const reveals = revealsOf(state, model)
    const inputs: { readonly region: string | null; readonly reveal: Reveal | null; readonly input: Input }[] = []
    for (const [region, of] of Map.groupBy(reveals, reveal => reveal.region)) {
      const [edge] = edgeOf(state, genesis, model, region)
      if (edge === undefined) {
        for (const reveal of of) {
          inputs.push({ region: null, reveal, input: this.#inputOf(reveal) })
        }
        continue
      }
      const machine = this.#machineOf(edge)
      const atMs = this.#sumUp(round, region, machine, of)
      waits.note('region', atMs - round.phaseAtMs)
      const file = { name: sumName(region, round), sizeBytes: sizes.file(regionCodec, setting.tiles) }
      inputs.push({ region, reveal: null, input: { machine, file, atMs } })
    }
    const byPrimary = new Map<string, { parts: string[]; order: readonly string[] }>()
    for (const part of roundParts(state, model)) {
      const order = primariesOf(state, genesis, model, part)
      const isSilent = round.number === setting.silentRound && order[0] === this.#silentOf(round)
      const author = order[isSilent ? 1 : 0]!
      const known = byPrimary.get(author) ?? { parts: [], order }
      known.parts.push(part)
      byPrimary.set(author, known)
    }
    for (const [author, { parts, order }] of byPrimary) {
      const direct = inputs.flatMap(({ reveal }) => (reveal === null ? [] : [reveal]))
      const regions = inputs.flatMap(({ region }) => (region === null ? [] : [region]))
      this.#give(round, author, parts, {
        inputs: inputs.map(({ input }) => input),
        direct,
        regions,
        place: order.indexOf(author)
      })
      const backups = order.filter(one => one !== author).slice(0, roundRules.backupsThatReplay)
      for (const backup of backups)
        this.#collect(
          'replay',
          this.#machineOf(backup),
          inputs.map(({ input }) => input),
          round.phaseAtMs
        )
    }
  }

  /** Whose turn it was and who said nothing. */
  #silentOf(round: Round): string | undefined {
    const { network, genesis } = this.#world
    const [part] = roundParts(network.state, model)
    return round.number === this.#world.setting.silentRound
      ? primariesOf(network.state, genesis, model, part!)[0]
      : undefined
  }

  /** When the sum of a region is on chain. */
  #sumUp(round: Round, region: string, machine: Machine, reveals: readonly Reveal[]): number {
    const { network, sizes, setting, agenda } = this.#world
    const inputs = reveals.map(reveal => this.#inputOf(reveal))
    const hereMs = this.#collect('delta', machine, inputs, round.phaseAtMs)
    const doneMs = hereMs + this.#workMs(reveals.length, setting.tiles)
    agenda.add(doneMs, () =>
      network.submit(machine.who, 'edge-aggregate', {
        model,
        round: round.number,
        region,
        update: tensorText(sumName(region, round)),
        updateBytes: sizes.file(regionCodec, setting.tiles),
        accepted: reveals.slice(0, chainLimits.deltasOfEvent).map(reveal => this.#acceptedOf(reveal, round)),
        refused: []
      })
    )
    return doneMs + commitEveryMs.busy + workMs.submit
  }

  #give(
    round: Round,
    author: string,
    parts: readonly string[],
    from: {
      readonly inputs: readonly Input[]
      readonly direct: readonly Reveal[]
      readonly regions: readonly string[]
      readonly place: number
    }
  ): void {
    const { network, sizes, agenda, waits } = this.#world
    const machine = this.#machineOf(author)
    const hereMs = this.#collect(from.regions.length > 0 ? 'region' : 'delta', machine, from.inputs, round.phaseAtMs)
    const doneMs = hereMs + this.#workMs(from.inputs.length, parts.length)
    const turnMs = from.place === 0 ? 0 : round.phaseAtMs + phasesMs.aggregate + (from.place - 1) * phasesMs.backup
    agenda.add(Math.max(doneMs, turnMs), () => {
      waits.note('aggregate', network.nowMs - round.phaseAtMs)
      if (from.place > 0) this.#failoverMs = network.nowMs + commitEveryMs.busy - turnMs
      network.submit(machine.who, 'tile-aggregate', {
        model,
        round: round.number,
        update: tensorText(`update of ${machine.who.name} in round ${round.number}`),
        updateBytes: sizes.file(updateCodec, parts.length),
        parts: parts.map(name => ({ name, tensor: tensorText(`${name} after round ${round.number}`) })),
        accepted: from.direct.slice(0, chainLimits.deltasOfEvent).map(reveal => this.#acceptedOf(reveal, round)),
        refused: [],
        edges: edgesOf(network.state, model)
          .filter(({ region }) => from.regions.includes(region))
          .map(({ region, update }) => ({ region, update }))
      })
    })
  }

  #measure(round: Round): void {
    const { network, wires, agenda, waits } = this.#world
    const candidate = readCandidate(network.state, round.candidate!)!
    const files = this.updatesOf()
    for (const machine of this.#all) {
      const arrivals = files.map(file => wires.bring('measure', file.from, machine, file, network.nowMs))
      const doneMs = Math.max(network.nowMs, ...arrivals) + workMs.measure
      waits.note('measure', doneMs - network.nowMs)
      agenda.add(doneMs, () => {
        // The quorum decides without waiting for the slow ones.
        if (readCandidate(network.state, candidate.id)?.status !== 'measuring') return
        network.submit(machine.who, 'learning-measure', {
          candidate: candidate.id,
          checkpoint: candidate.checkpoint,
          ...measured,
          verdict: 'accept',
          reason: 'none'
        })
      })
    }
  }

  #publish({ candidate }: Round): void {
    const { network, agenda } = this.#world
    const results = resultsOf(network.state, model)
    const { parts } = readCandidate(network.state, candidate!)!
    for (const { name, tensor, update, updateBytes } of parts) {
      const sharers = parts.filter(part => part.update === update).length
      const author = results.find(result => result.name === name)!.author
      agenda.add(network.nowMs + workMs.submit, () => {
        network.submit(this.#machineOf(author).who, 'expert', {
          name,
          layer: 0,
          tensor,
          shape: [1024, 1024],
          parent: this.#newestBlock(name),
          update,
          updateBytes: Math.ceil(updateBytes / sharers)
        })
      })
    }
  }

  #newestBlock(part: string): string {
    return (this.#world.network.state.get(`part/${part}`) as { readonly block: CID }).block.toString()
  }

  /** When all inputs are on a machine. */
  #collect(kind: TrafficKind, machine: Machine, inputs: readonly Input[], fromMs: number): number {
    const { wires, waits } = this.#world
    let hereMs = fromMs
    for (const { machine: from, file, atMs } of inputs) {
      const arrivedMs = wires.bring(kind, from, machine, file, Math.max(fromMs, atMs))
      if (kind === 'delta') waits.note('upload', arrivedMs - Math.max(fromMs, atMs))
      hereMs = Math.max(hereMs, arrivedMs)
    }
    return hereMs
  }

  #inputOf({ account, delta, sizeBytes }: Reveal): Input {
    return { machine: this.#machineOf(account), file: { name: delta, sizeBytes }, atMs: this.#shownAtMs(account) }
  }

  #workMs(inputs: number, tiles: number): number {
    return inputs * (tiles * workMs.decodeTile + workMs.gateDelta) + tiles * workMs.aggregateTile
  }

  #acceptedOf({ account, delta, baseRound }: Reveal, { number }: Round) {
    return { account, delta, weightPpm: weightPpmOf(number - baseRound), gainNano }
  }

  #machineOf(account: string): Machine {
    return this.#world.machines.get(account)!
  }
}

function sumName(region: string, { number }: Round): string {
  return `sum of ${region} in round ${number}`
}
