import { createHash } from 'node:crypto'
import type { CID, SigningKey } from '../../../src/codec/index.ts'
import {
  aggregatesOf,
  assignmentOf,
  candidatesOf,
  commitmentOf,
  commitsOf,
  deltaBytesMaxOf,
  leadingZeroBits,
  learnerOf,
  learningSettings,
  newestTensor,
  primariesOf,
  proposalCommitment,
  type Round,
  readCandidate,
  readRound,
  revealsOf,
  roundParts,
  trustOf,
  workDigest
} from '../../../src/learning/chain/index.ts'
import { accountOf, keyOf, tensorCid } from '../../dag/small-network.ts'
import { LedgerWorld, operatorKey, type WorldOptions } from '../../ledger/ledger-world.ts'

export const learningParameters = {
  learningWindowMs: '10000',
  learningRevealMs: '4000',
  learningAggregateMs: '5000',
  learningBackupMs: '1000',
  learningMeasureMs: '20000',
  learningPublishMs: '8000',
  learningSequences: '16',
  learningGainPpm: '500',
  learningWorkBits: '4',
  learningRewardUnits: '9000000000',
  periodMs: '31536000000',
  feeUnits: '0'
}

export const model = 'genesis'
const learnerKeys = Array.from({ length: 10 }, (_, place) => keyOf(`learner ${place}`))
const operators = new Map(Array.from({ length: 16 }, (_, place) => [accountOf(operatorKey(place)), operatorKey(place)]))
export const learnerKey = (place: number): SigningKey => learnerKeys[place]!
export const cid = (name: string): string => tensorCid(name).toString()
export const hex = (name: string): string => createHash('sha256').update(name).digest('hex')

type Json = Record<string, unknown>

/** A network that learns: events as a test gives them, time as it says. */
export class RoundWorld extends LedgerWorld {
  constructor(options: WorldOptions = {}) {
    super({ ...options, parameters: { ...learningParameters, ...options.parameters } })
    for (const { header, cid: block } of this.genesis.blocks)
      if (header.expert_name !== null) this.#record(header.expert_name, header.block_type, block)
  }

  /** What the executor writes of a block on chain B. */
  #record(name: string, type: string, block: CID): void {
    const shape = type === 'router' ? [4] : [4, 4]
    this.state.set(`part/${name}`, { block, shape, type })
    this.state.set(`block/${block.toString()}`, 1)
  }

  override get round(): number {
    return readRound(this.state, model)?.number ?? 0
  }

  get now(): Round {
    return readRound(this.state, model)!
  }

  get phase(): string {
    return this.now.phase
  }

  join(key: SigningKey, changes: Json = {}): string {
    return this.apply(key, 'learner-join', { model, region: 'here', parts: ['*'], bytesMax: 0, ...changes })
  }

  corpus(key: SigningKey, name = 'texts', changes: Json = {}): string {
    const shard = (kind: string): Json => ({ shard: cid(`${accountOf(key)} ${name} ${kind}`), bytes: 1000 })
    return this.apply(key, 'corpus', {
      name,
      training: [shard('train')],
      heldOut: [shard('held')],
      licence: 'MIT',
      ...changes
    })
  }

  lineage(key: SigningKey, changes: Json = {}): Json {
    const shards = [{ shard: cid(`${accountOf(key)} texts train`), samples: 8 }]
    return { shards, seed: hex('seed'), batchesDigest: hex('batches'), steps: 10, tokens: 1000, ...changes }
  }

  /** What `deltaOf` names is what is revealed. */
  deltaOf(key: SigningKey): string {
    return cid(`delta ${accountOf(key)} ${this.round}`)
  }

  saltOf(key: SigningKey): string {
    return hex(`salt ${accountOf(key)} ${this.round}`)
  }

  commitPayload(key: SigningKey, changes: Json = {}): Json {
    const account = accountOf(key)
    const commitment = commitmentOf({ delta: this.deltaOf(key), salt: this.saltOf(key), account })
    const payload = { model, round: this.round, baseRound: this.round, commitment, tokens: 1000, ...changes }
    return { nonce: this.nonce({ account, model, round: payload.round, commitment: payload.commitment }), ...payload }
  }

  commitDelta(key: SigningKey, changes: Json = {}): string {
    return this.apply(key, 'delta-commit', this.commitPayload(key, changes))
  }

  reveal(key: SigningKey, changes: Json = {}): string {
    const payload = { delta: this.deltaOf(key), salt: this.saltOf(key), sizeBytes: 50, lineage: this.lineage(key) }
    return this.apply(key, 'delta-reveal', { model, round: this.round, ...payload, ...changes })
  }

  nonce(work: Parameters<typeof workDigest>[1]): number {
    const digestOf = workDigest(this.genesis, work)
    const { workBits } = learningSettings(this.state, this.genesis)
    for (let nonce = 0; ; nonce++) if (leadingZeroBits(digestOf(nonce)) >= workBits) return nonce
  }

  operatorOf(account: string): SigningKey {
    const key = operators.get(account)
    if (key === undefined) throw new Error(`${account} is no operator`)
    return key
  }

  primaries(part: string): SigningKey[] {
    return primariesOf(this.state, this.genesis, model, part).map(account => this.operatorOf(account))
  }

  /** Everybody who revealed, accepted alike. */
  accepted(gains: Readonly<Record<string, number>> = {}): Json[] {
    return revealsOf(this.state, model).map(({ account, delta }) => ({
      account,
      delta,
      weightPpm: 1_000_000,
      gainNano: gains[account] ?? 1000
    }))
  }

  aggregate(key: SigningKey, parts: readonly string[], changes: Json = {}): string {
    return this.apply(key, 'tile-aggregate', {
      model,
      round: this.round,
      update: cid(`update ${this.round} ${parts.join()}`),
      updateBytes: 100,
      parts: parts.map(name => ({ name, tensor: this.made(name) })),
      accepted: this.accepted(),
      refused: [],
      edges: [],
      ...changes
    })
  }

  /** What comes of a part in the round of now. */
  made(part: string): string {
    return cid(`made ${part} ${this.round}`)
  }

  aggregateAll(changes: Json = {}): void {
    for (const part of roundParts(this.state, model)) {
      const refusal = this.aggregate(this.primaries(part)[0]!, [part], changes)
      if (refusal !== '') throw new Error(refusal)
    }
  }

  measure(key: SigningKey, id: string, changes: Json = {}): string {
    const { checkpoint = 1 } = readCandidate(this.state, id) ?? {}
    const figures = { beforeNano: 2_000_000_000, afterNano: 1_900_000_000, gainNano: 100_000_000, errorNano: 1_000_000 }
    return this.apply(key, 'learning-measure', {
      candidate: id,
      checkpoint,
      sequences: 16,
      ...figures,
      verdict: 'accept',
      reason: 'none',
      ...changes
    })
  }

  measureAll(id: string, changes: Json = {}, operators: readonly number[] = [0, 1, 2]): string[] {
    return operators.map(place => this.measure(operatorKey(place), id, changes))
  }

  publish(key: SigningKey, part: string, tensor: string, changes: Json = {}): string {
    const type = part.endsWith('router') ? 'router' : 'expert'
    const shape = part.endsWith('router') ? [4] : [4, 4]
    const refusal = this.apply(key, type, { name: part, tensor, shape, ...changes })
    if (refusal === '') this.#record(part, type, tensorCid(`block of ${tensor}`))
    return refusal
  }

  publishAll(id: string): string[] {
    return readCandidate(this.state, id)!.parts.map(({ name, tensor }) => this.publish(operatorKey(0), name, tensor))
  }

  propose(key: SigningKey, parts: readonly { name: string; tensor: string }[], changes: Json = {}): string {
    const work = { account: accountOf(key), model, round: 0, commitment: proposalCommitment(parts) }
    return this.apply(key, 'expert-propose', {
      model,
      parts,
      nonce: this.nonce(work),
      lineage: this.lineage(key),
      ...changes
    })
  }

  /** Learners who joined, with their texts on chain. */
  withLearners(count: number, changes: Json = {}): SigningKey[] {
    const keys = Array.from({ length: count }, (_, place) => learnerKey(place))
    for (const key of keys) {
      for (const refusal of [this.join(key, changes), this.corpus(key)]) if (refusal !== '') throw new Error(refusal)
    }
    return keys
  }

  /** All of them commit and reveal: the round aggregates then. */
  trained(keys: readonly SigningKey[]): void {
    for (const key of keys) expectApplied(this.commitDelta(key))
    for (const key of keys) expectApplied(this.reveal(key))
  }

  /** A whole round that is adopted. */
  adopted(keys: readonly SigningKey[]): string {
    this.trained(keys)
    this.aggregateAll()
    const id = this.now.candidate!
    for (const refusal of [...this.measureAll(id), ...this.publishAll(id)]) expectApplied(refusal)
    return id
  }

  candidate(id: string) {
    return readCandidate(this.state, id)!
  }

  get newestCandidate() {
    return candidatesOf(this.state, model).at(-1)
  }

  newest(part: string): string {
    return newestTensor(this.state, this.genesis, part)!
  }

  trust(key: SigningKey) {
    return trustOf(this.state, accountOf(key))
  }

  learner(key: SigningKey) {
    return learnerOf(this.state, model, accountOf(key))
  }

  assignment(key: SigningKey) {
    return assignmentOf(this.state, this.genesis, model, accountOf(key))
  }

  deltaLimit(key: SigningKey): number {
    return deltaBytesMaxOf(this.state, this.genesis, model, accountOf(key))
  }

  get commits() {
    return commitsOf(this.state, model)
  }

  get aggregates() {
    return aggregatesOf(this.state, model)
  }
}

function expectApplied(refusal: string): void {
  if (refusal !== '') throw new Error(`refused: ${refusal}`)
}
