import { createHash } from 'node:crypto'
import type { Training, TrainingSettings } from '../../src/experts/index.ts'
import type { Reveal } from '../../src/learning/chain/index.ts'
import { gateDeltas } from '../../src/learning/delta-gate.ts'
import { type MadeDelta, makeDelta } from '../../src/learning/delta-maker.ts'
import {
  type AggregationRules,
  type CodecName,
  codecNamed,
  type DeltaFile,
  type DeltaFileHeader,
  digestOfValues,
  makeUpdate,
  openDeltaFile,
  packDeltaFile
} from '../../src/tiles/index.ts'
import { type BenchModel, byChainName, byShortName, meanOf, type Values } from './bench-model.ts'
import { FeedbackInMemory } from './feedback-in-memory.ts'
import { type HostileKind, hostileDelta } from './hostile.ts'
import { drawBatch, spreadSequences, type Texts } from './texts.ts'

/** Rounds as the network has them, in one process: the codecs, the gate, the aggregation and the engine are the node's own. */
export type RoundsPlan = {
  readonly settings: TrainingSettings
  readonly learners: number
  readonly rounds: number
  /** H. */
  readonly innerSteps: number
  /** What the first round starts from; genesis unless given. */
  readonly start?: Values
  /** Steps whose batches were taken before the first round; 0 unless given. */
  readonly stepsBefore?: number
  readonly codec: CodecName
  readonly rules: AggregationRules
  /** By number of the learner. */
  readonly hostile?: ReadonlyMap<number, HostileKind>
  /** Only the first so many take part; their texts stay the share of one of all learners. */
  readonly honest?: number
  /** Sequences that the primary tries each delta on; 0: no gate. */
  readonly gateSequences: number
  readonly heldOutSequences: number
  readonly note?: (text: string) => void
}

export type LearnerTally = {
  accepted: number
  /** Sum over the rounds of its share of the round's gain: what rewards are shared by. */
  earned: number
  readonly refused: Map<string, number>
}

export type RoundsResult = {
  readonly lossNats: number
  /** After each round, where asked for. */
  readonly losses: readonly number[]
  /** Of one learner, all rounds together. */
  readonly bytesUp: number
  readonly bytesDown: number
  readonly tallies: readonly LearnerTally[]
}

const network = 'bench'

export async function runRounds(model: BenchModel, texts: Texts, plan: RoundsPlan): Promise<RoundsResult> {
  const run = new Run(model, texts, plan)
  try {
    await run.open()
    const losses: number[] = []
    for (let round = 1; round <= plan.rounds; round++) {
      await run.round(round)
      if (round % 10 === 0 || round === plan.rounds) {
        losses.push(await run.heldOutLoss())
        plan.note?.(`round ${round} of ${plan.rounds}: ${losses.at(-1)!.toFixed(4)}`)
      }
    }
    return { lossNats: losses.at(-1)!, losses, ...run.tally() }
  } finally {
    await run.close()
  }
}

class Run {
  readonly #model: BenchModel
  readonly #texts: Texts
  readonly #plan: RoundsPlan
  readonly #learners: Learner[] = []
  #values: Values
  #bases: ReadonlyMap<string, string> = new Map()
  #forget = (): void => {}
  #first: { readonly file: DeltaFile; readonly bases: ReadonlyMap<string, string> } | undefined
  #bytesUp = 0
  #bytesDown = 0

  constructor(model: BenchModel, texts: Texts, plan: RoundsPlan) {
    this.#model = model
    this.#texts = texts
    this.#plan = plan
    this.#values = plan.start ?? model.genesis()
  }

  async open(): Promise<void> {
    const { files, forget } = this.#model.write(this.#values)
    this.#forget = forget
    this.#nameBases()
    for (let number = 0; number < (this.#plan.honest ?? this.#plan.learners); number++) {
      const training = await this.#model.engine.openTraining({
        model: `learner ${number}`,
        architecture: this.#model.architecture,
        parts: files,
        trained: 'all',
        settings: this.#plan.settings
      })
      this.#learners.push({
        number,
        training,
        feedback: new FeedbackInMemory(),
        accepted: 0,
        earned: 0,
        refused: new Map()
      })
    }
  }

  async round(round: number): Promise<void> {
    const made = new Map<string, { learner: Learner; delta: MadeDelta }>()
    let last: Trained | undefined
    for (const learner of this.#learners) {
      const kind = this.#plan.hostile?.get(learner.number)
      let delta: MadeDelta
      if (kind === undefined) {
        last = await this.#learn(learner, round)
        this.#first ??= { file: last.file, bases: this.#bases }
        delta = last.delta
      } else delta = await this.#makeHostile(learner, round, kind, last!)
      this.#bytesUp += delta.bytes.length
      made.set(`${createHash('sha256').update(delta.bytes).digest('hex')} ${learner.number}`, { learner, delta })
    }
    await this.#aggregate(round, made)
  }

  async #train({ number, training }: Learner, round: number): Promise<Values> {
    const { settings, learners, innerSteps, stepsBefore = 0 } = this.#plan
    const { training: text } = this.#texts
    function* batches(): Generator<Uint32Array> {
      for (let at = 1; at <= innerSteps; at++) {
        const step = stepsBefore + (round - 1) * innerSteps + at
        yield drawBatch(text, { ...settings, learner: number, learners, step })
      }
    }
    for await (const _ of training.train({ batches: batches() }));
    return byChainName(this.#model.parts, await training.delta())
  }

  async #learn(learner: Learner, round: number): Promise<Trained> {
    const honest = await this.#train(learner, round)
    const delta = await this.#make(learner, round, honest)
    return { honest, delta, file: this.#open(delta, round) }
  }

  async #make(learner: Learner, round: number, changes: Values): Promise<MadeDelta> {
    const header = this.#header(round, 'delta', `learner ${learner.number}`)
    const { parts } = this.#model
    return await makeDelta({ header, parts, changes, bases: this.#bases, feedback: learner.feedback })
  }

  async #makeHostile(learner: Learner, round: number, kind: HostileKind, last: Trained): Promise<MadeDelta> {
    const { honest, file } = last
    const header = this.#header(round, 'delta', `learner ${learner.number}`)
    const delta = hostileDelta({ kind, header, bases: this.#bases, honest, file, first: this.#first! })
    return 'bytes' in delta ? delta : await this.#make(learner, round, delta)
  }

  #open(delta: MadeDelta, round: number): DeltaFile {
    const { parts } = this.#model
    return openDeltaFile(delta.bytes, {
      network,
      model: 'bench',
      round,
      partOf: name => ({ tensor: this.#bases.get(name)!, layouts: parts.named(name)!.layouts }),
      sizeBytesMax: 64_000_000
    })
  }

  /** The primary: opens, gates, aggregates, and everybody takes what it publishes. */
  async #aggregate(round: number, made: ReadonlyMap<string, { learner: Learner; delta: MadeDelta }>): Promise<void> {
    const { parts } = this.#model
    const scorer = this.#learners[0]!.training
    const gateTokens = this.#gateTokens(round)
    const score = async (changes?: ReadonlyMap<string, Float32Array>): Promise<Float64Array> =>
      await scorer.score({ tokens: gateTokens, changes: changes && byShortName(parts, changes) })
    const reveals = [...made].map(([delta, { learner }]) => reveal(delta, learner.number, round))
    const gated = await gateDeltas(
      {
        parts,
        open: async ({ delta }) => this.#open(made.get(delta)!.delta, round),
        score: this.#plan.gateSequences > 0 ? score : undefined,
        refusedBefore: new Set(),
        logger: { debug: () => {}, info: () => {}, warn: () => {} }
      },
      round,
      reveals
    )
    const gains = gated.accepted.reduce((sum, { gainNano }) => sum + Math.max(0, gainNano), 0)
    for (const { delta, gainNano } of gated.accepted) {
      const { learner, delta: of } = made.get(delta)!
      learner.accepted++
      learner.earned += gains > 0 ? Math.max(0, gainNano) / gains : 0
      await of.keepFeedback()
    }
    for (const { delta, reason } of gated.refused) {
      const { learner } = made.get(delta)!
      learner.refused.set(reason, (learner.refused.get(reason) ?? 0) + 1)
      await learner.feedback.clear()
    }
    await this.#publish(round, gated)
  }

  async #publish(round: number, { accepted, files }: Awaited<ReturnType<typeof gateDeltas>>): Promise<void> {
    if (accepted.length === 0) return
    const codec = codecNamed('int8')
    const next = new Map(this.#values)
    const frames = this.#model.parts.all.flatMap(({ name, layouts }) => {
      const base = this.#values.get(name)!
      const inputs = accepted
        .filter(({ delta }) => files.get(delta)!.parts.includes(name))
        .map(({ delta, weightPpm }) => ({ values: files.get(delta)!.decode(name), weight: weightPpm }))
      if (inputs.length === 0) return []
      const made = makeUpdate({ base, inputs, layouts, rules: this.#plan.rules, codec })
      next.set(name, made.values)
      return made.frames.map(({ tile, length, bytes, decoded }) => ({
        part: name,
        tile,
        base: this.#bases.get(name)!,
        length,
        codec: codec.name,
        bytes,
        decodedDigest: digestOfValues(decoded)
      }))
    })
    this.#bytesDown += packDeltaFile(this.#header(round, 'update', 'primary'), frames).length
    this.#values = next
    this.#nameBases()
    const { files: written, forget } = this.#model.write(next)
    for (const { training } of this.#learners) await training.rebase({ parts: written, keep: false })
    this.#forget()
    this.#forget = forget
  }

  async heldOutLoss(): Promise<number> {
    const { heldOutSequences, settings } = this.#plan
    const tokens = spreadSequences(this.#texts.heldOut, heldOutSequences, settings.sequenceTokens)
    return meanOf(await this.#learners[0]!.training.score({ tokens }))
  }

  tally(): Pick<RoundsResult, 'bytesUp' | 'bytesDown' | 'tallies'> {
    return { bytesUp: this.#bytesUp / this.#learners.length, bytesDown: this.#bytesDown, tallies: this.#learners }
  }

  async close(): Promise<void> {
    for (const { training } of this.#learners) await training.close()
    this.#forget()
  }

  /** Others in each round, as the draw after the reveal gives them. */
  #gateTokens(round: number): Uint32Array {
    const { gateSequences, settings } = this.#plan
    const { sequenceTokens } = settings
    return drawBatch(this.#texts.heldOut, {
      learner: 0,
      learners: 1,
      step: round,
      sequences: gateSequences,
      sequenceTokens
    })
  }

  #nameBases(): void {
    this.#bases = new Map(
      [...this.#values].map(([name, values]) => [name, Buffer.from(digestOfValues(values)).toString('hex')])
    )
  }

  #header(round: number, kind: 'delta' | 'update', author: string): DeltaFileHeader {
    const { codec, innerSteps, settings } = this.#plan
    const tokens = innerSteps * settings.sequences * settings.sequenceTokens
    return { network, model: 'bench', kind, round, baseRound: round, codec, steps: innerSteps, tokens, author }
  }
}

/** What an honest learner did in one round. */
type Trained = { readonly honest: Values; readonly delta: MadeDelta; readonly file: DeltaFile }

type Learner = LearnerTally & {
  readonly number: number
  readonly training: Training
  readonly feedback: FeedbackInMemory
}

function reveal(delta: string, learner: number, round: number): Reveal {
  const lineage = { shards: [], seed: '', batchesDigest: '', steps: 1, tokens: 1 } as Reveal['lineage']
  return { account: `learner ${learner}`, delta, baseRound: round, tokens: 1, sizeBytes: 1, region: '', lineage }
}
