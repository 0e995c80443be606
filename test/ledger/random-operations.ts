import { bytesToHex, decodeCanonical, encodeCanonical, type SigningKey, sha256 } from '../../src/codec/index.ts'
import { encodeHeader, type VertexHeader, vertexSigningBytes } from '../../src/consensus/core/vertex.ts'
import { encodeEvidence } from '../../src/dag/core/evidence.ts'
import type { StateMemory } from '../../src/dag/core/state.ts'
import { closeEpoch, isSetChanging, readEpoch } from '../../src/dag/core/validator-state.ts'
import { isBlyanError } from '../../src/errors/index.ts'
import { balancePrefix, systemAccounts } from '../../src/ledger/book/book.ts'
import { requireStakeMatches } from '../../src/ledger/staking/index.ts'
import { createRandom, type Random } from '../../src/scenarios/seeded-random.ts'
import { accountOf, keyOf } from '../dag/small-network.ts'
import { bly, LedgerWorld, operatorKey, poor, rich, validatorKey, vertexAt } from './ledger-world.ts'
import { dutyAuthor, dutyGenerators } from './random-duties.ts'
import { authorFor, generators as coinGenerators, type Draw, orOdd, weights as typeWeights } from './random-events.ts'

/** So many operations of a ledger; then another begins, with the next seed: votes and punishments change each for good. */
export const operationsPerLedger = 20_000

/** Everything happens within minutes, so that a run sees all of it. */
export const quickParameters: Readonly<Record<string, string>> = {
  periodMs: '60000',
  unbondingMs: '300000',
  quoteMs: '120000',
  holdMs: '240000',
  holdKeptMs: '120000',
  eventKeyMs: '120000',
  votingMs: '60000',
  emergencyVotingMs: '30000',
  appealVotingMs: '60000',
  proposalDepositUnits: '1000000000',
  selfStakeMinUnits: '10000000000',
  doubleSignBanMs: '200000',
  downtimeAfterMs: '600000',
  giftedDepositUnits: '1000000000',
  giftedHeartbeatMs: '20000',
  giftedSilentMs: '60000',
  giftedForgetMs: '300000',
  scalingServeMs: '60000'
}

const generators = { ...coinGenerators, ...dutyGenerators }
const operators = 16
const genesisOperators = 5
const stateValueBytesMax = 64 * 1024
const operationsPerCommit = 8
/** Signing and checking it costs more than all else. */
const evidenceChancePpm = 4_000

type Grant = { readonly coin: string; readonly units: string }

export type Outcome = {
  readonly operations: number
  readonly applied: Readonly<Record<string, number>>
  readonly refused: Readonly<Record<string, Readonly<Record<string, number>>>>
  readonly commits: number
  readonly epochs: number
  readonly periods: number
  readonly stateEntries: number
  readonly root: string
}

/** Does random things to a ledger, and looks after each whether it is still one. */
export class RandomLedger {
  readonly world: LedgerWorld
  readonly #random: Random
  readonly #people: readonly SigningKey[]
  readonly #validatorKeys: readonly SigningKey[]
  readonly #byAccount: ReadonlyMap<string, SigningKey>
  readonly #types: readonly string[]
  readonly #applied: Record<string, number> = {}
  readonly #refused: Record<string, Record<string, number>> = {}
  /** Members that are away, until a round. */
  readonly #away = new Map<string, number>()
  #sinceCheck: StateMemory
  #operations = 0
  #commits = 0
  #round = 0
  #epochs = 0
  #sequence = 0
  #parents: VertexHeader['parents'] = []

  constructor(seed: number, weights: 'equal' | 'stake' = 'equal') {
    this.world = new LedgerWorld({ operators: genesisOperators, weights, parameters: quickParameters })
    this.#random = createRandom(seed, 'random operations')
    const joiners = Array.from({ length: operators }, (_, place) => operatorKey(place))
    const others = Array.from({ length: 24 }, (_, place) => keyOf(`somebody ${place}`))
    this.#people = [...joiners, rich, poor, ...others]
    this.#byAccount = new Map(this.#people.map(person => [accountOf(person), person]))
    this.#validatorKeys = Array.from({ length: operators + 4 }, (_, place) => validatorKey(place))
    this.#types = Object.keys(generators)
      .filter(type => isKnown(this.world, type))
      .flatMap(type => new Array<string>(typeWeights[type] ?? 10).fill(type))
    // What the executor writes for a part of the genesis model: without it nobody could score or use an expert.
    this.world.state.set('part/layer0.expert0', { shape: [4, 4], type: 'expert' })
    this.#sinceCheck = this.world.state.remember()
    this.#giveStart()
  }

  /** So many operations more. */
  run(operations: number): void {
    for (let left = operations; left > 0; left--) {
      this.#operate()
      if (++this.#operations % operationsPerCommit === 0) this.#commit()
    }
    this.requireAll()
  }

  /** As if the node was started again: everything is read from its bytes, and nothing else is remembered. */
  reload(): void {
    this.world.reload()
    this.#sinceCheck = this.world.state.remember()
  }

  get outcome(): Outcome {
    const { state } = this.world
    return {
      operations: this.#operations,
      applied: this.#applied,
      refused: this.#refused,
      commits: this.#commits,
      epochs: this.#epochs,
      periods: (state.get('period/now') as { number: number } | undefined)?.number ?? 1,
      stateEntries: state.size,
      root: state.root()
    }
  }

  /** Some of everything for everybody, from those who have it. */
  #giveStart(): void {
    const { world } = this
    for (const [place, person] of this.#people.entries()) {
      if (place < genesisOperators || person === rich) continue
      for (const [coin, amount] of [
        ['BLY', 20_000n],
        ['AUR', 100n],
        ['FLX', 10n]
      ] as const) {
        const amountText = (amount * bly).toString()
        const code = world.apply(rich, 'transfer', { to: accountOf(person), coin, amount: amountText })
        if (code !== '') throw new Error(`the start could not be given: ${code}`)
      }
    }
  }

  #operate(): void {
    const random = this.#random
    const type = random.happens(evidenceChancePpm) ? 'evidence' : random.pick(this.#types)
    const json = type === 'evidence' ? null : this.#drawn(type)
    const before = this.world.state.remember()
    const code = this.#apply(json?.author ?? random.pick(this.#people), type, json?.json)
    this.world.state.forget(before)
    if (code === '') this.#applied[type] = (this.#applied[type] ?? 0) + 1
    else {
      this.#refused[type] ??= {}
      this.#refused[type][code] = (this.#refused[type][code] ?? 0) + 1
      for (const [key, bytes] of before)
        if (!isSame(this.world.state.bytesOf(key), bytes)) throw new Error(`${type} was refused and changed ${key}`)
    }
  }

  /** What somebody says, mostly somebody who may. */
  #drawn(type: string): { readonly author: SigningKey; readonly json: unknown } {
    const random = this.#random
    const isOperators = /^(operator|proposal)-/.test(type) && !random.happens(200_000)
    const anyAuthor = isOperators ? this.#people[random.below(operators)]! : random.pick(this.#people)
    const base = { random, world: this.world, people: this.#people, validatorKeys: this.#validatorKeys }
    const isMeant = !random.happens(100_000)
    const dutiful = isMeant ? dutyAuthor({ ...base, author: anyAuthor }, type) : undefined
    const draw: Draw = { ...base, author: this.#personOf(dutiful) ?? anyAuthor }
    const json = orOdd(random, generators[type]!(draw))
    const follows = isMeant ? authorFor(draw, type, json) : undefined
    return { author: this.#personOf(follows) ?? draw.author, json }
  }

  #personOf(account: string | undefined): SigningKey | undefined {
    return account === undefined ? undefined : this.#byAccount.get(account)
  }

  /** Gives the code of a refusal; what is no refusal is thrown. */
  #apply(author: SigningKey, type: string, json: unknown): string {
    const { world } = this
    if (type === 'evidence') return world.applyPayload(author, type, this.#evidence())
    if (!this.#random.happens(20_000)) return world.apply(author, type, json)
    return world.applyPayload(author, type, this.#damaged(type, json))
  }

  /** A payload of which a byte is another one, or that is cut off. */
  #damaged(type: string, json: unknown): Uint8Array {
    let payload: Uint8Array
    try {
      payload = new Uint8Array(this.world.handlers.get(type).encodePayload(json))
    } catch (error) {
      if (!isBlyanError(error)) throw error
      return new Uint8Array([0xa0])
    }
    if (payload.length > 0) payload[this.#random.below(payload.length)]! ^= 1 << this.#random.below(8)
    return this.#random.happens(200_000) ? payload.subarray(0, this.#random.below(payload.length + 1)) : payload
  }

  /** Two headers of one slot, mostly by who sits in it. */
  #evidence(): Uint8Array {
    const random = this.#random
    const { members } = this.world
    const author = random.below(members.length + 1)
    const epoch = Math.max(0, readEpoch(this.world.state, this.world.genesis).epoch - random.below(3))
    const isTrue = random.happens(300_000)
    const key = isTrue
      ? this.#validatorKeys.find(one => bytesToHex(one.publicKey) === hexOf(members[author]?.publicKey))
      : random.pick(this.#validatorKeys)
    const round = Math.max(1, this.#round - random.below(20))
    const signed = (timestampMs: number): { headerBytes: Uint8Array; signature: Uint8Array } => {
      const headerBytes = encodeHeader({
        epoch,
        round,
        author,
        timestampMs,
        parents: [],
        eventCount: 0,
        bodyDigest: '00'.repeat(32),
        votes: []
      })
      const bytes = vertexSigningBytes(this.world.genesis.digest, bytesToHex(sha256(headerBytes)))
      return { headerBytes, signature: (key ?? rich).sign(bytes) }
    }
    return encodeEvidence(signed(1), signed(isTrue ? 2 : 1 + random.below(2)))
  }

  /** A round, some time later: some validators away, some for long; now and then an epoch ends. */
  #commit(): void {
    const { world } = this
    const random = this.#random
    const afterMs = random.pick([0, 1, 100, 1000, 1000, 5000, 5000, 20_000])
    const jumpMs = random.happens(2000) ? random.below(86_400_000) : 0
    world.nowMs += afterMs + jumpMs
    this.#round += 1 + (random.happens(100_000) ? random.below(40) : 0)
    const { members } = world
    const { epoch } = readEpoch(world.state, world.genesis)
    const vertices = members.flatMap((member, author) => {
      const key = bytesToHex(member.publicKey)
      if ((this.#away.get(key) ?? 0) > this.#round) return []
      if (random.happens(4000)) this.#away.set(key, this.#round + random.below(400))
      const timestampMs = world.nowMs + random.pick([0, 10, 50, 300]) - 300
      const isWrong = random.happens(10_000)
      const votes =
        this.#sequence === 0 || random.happens(300_000)
          ? []
          : [
              {
                sequence: this.#sequence,
                digest: isWrong ? 'ee'.repeat(32) : checkpointDigest(this.#sequence),
                signature: new Uint8Array(64)
              }
            ]
      const parents = this.#parents.filter(() => !random.happens(20_000))
      return [vertexAt(this.#round, author, timestampMs, { epoch, parents, votes })]
    })
    this.#parents = vertices.map(({ header, digest }) => ({ round: header.round, author: header.author, digest }))
    const isAsked = world.commitVertices(this.#round, vertices)
    this.#commits++
    if (isAsked || this.#commits % 4 === 0) this.#checkpoint()
    this.#requireBatch()
    if (this.#commits % 1000 === 0) this.requireAll()
  }

  #checkpoint(): void {
    const { world } = this
    if (isSetChanging(world.state) && this.#random.happens(200_000)) {
      closeEpoch(world.state, world.genesis, { round: this.#round, timestampMs: world.nowMs })
      this.#epochs++
      this.#parents = []
    }
    this.#sequence++
    world.state.set('executor/cursor', {
      sequence: this.#sequence,
      previous: Buffer.from(checkpointDigest(this.#sequence), 'hex')
    })
    world.handlers.economy!.afterCheckpoint(world.state, {
      sequence: this.#sequence,
      digest: checkpointDigest(this.#sequence)
    })
  }

  /** By what changed since the last time: no coin made or lost, every entry one that can be read again. */
  #requireBatch(): void {
    const { state, handlers } = this.world
    handlers.economy!.requireConserved(state, this.#sinceCheck)
    for (const key of this.#sinceCheck.keys()) this.#requireSound(key)
    state.forget(this.#sinceCheck)
    this.#sinceCheck = state.remember()
  }

  #requireSound(key: string): void {
    const { state } = this.world
    const bytes = state.bytesOf(key)
    if (bytes === undefined) return
    if (bytes.length > stateValueBytesMax) throw new Error(`${key} has ${bytes.length} bytes`)
    // What handlers see must be what a node reads from its disk after it was started again.
    const seen = encodeCanonical(state.get(key)!)
    if (!isSame(seen, bytes)) throw new Error(`${key} was changed in place`)
    const read = encodeCanonical(decodeCanonical(bytes, { sizeBytesMax: stateValueBytesMax }))
    if (!isSame(read, bytes)) throw new Error(`${key} is not canonical`)
    if (key.startsWith(balancePrefix) && BigInt(state.get(key) as string) <= 0n)
      throw new Error(`${key} is not above 0`)
  }

  /** Of everything there is. */
  requireAll(): void {
    const { state, handlers } = this.world
    handlers.economy!.requireConservedInFull(state)
    requireStakeMatches(state)
    this.#requireEscrowMatches()
    for (const [key] of state.entries()) this.#requireSound(key)
  }

  /** Escrow is what open holds and open proposals have put there, coin by coin. */
  #requireEscrowMatches(): void {
    const { state } = this.world
    const expected = new Map<string, bigint>()
    const add = (coin: string, units: string): void => {
      expected.set(coin, (expected.get(coin) ?? 0n) + BigInt(units))
    }
    for (const [key] of state.entries()) {
      if (/^hold\/[0-9a-f]+$/.test(key)) {
        const { status, coin, authorised } = state.get(key) as { status: string; coin: string; authorised: string }
        if (status === 'authorised' || status === 'captured') add(coin, authorised)
      } else if (/^proposal\/\d+$/.test(key)) {
        const { status, depositUnits } = state.get(key) as { status: string; depositUnits: string }
        if (status === 'open') add('BLY', depositUnits)
      } else if (key.startsWith('gifted/node/')) {
        const { depositUnits, grant } = state.get(key) as { depositUnits: string; grant: Grant | null }
        add('BLY', depositUnits)
        if (grant !== null) add(grant.coin, grant.units)
      }
    }
    for (const coin of ['BLY', 'GEN', 'NEX', 'FLX', 'AUR'] as const) {
      const found = this.world.balance(systemAccounts.escrow, coin)
      if (found !== (expected.get(coin) ?? 0n))
        throw new Error(`@escrow has ${found} of ${coin}, open holds and deposits ${expected.get(coin) ?? 0n}`)
    }
  }
}

function isKnown(world: LedgerWorld, type: string): boolean {
  try {
    return world.handlers.get(type).type === type
  } catch (error) {
    if (isBlyanError(error)) return false
    throw error
  }
}

function checkpointDigest(sequence: number): string {
  return sequence.toString(16).padStart(64, '0')
}

function hexOf(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? '' : bytesToHex(bytes)
}

function isSame(one: Uint8Array | undefined, other: Uint8Array | undefined): boolean {
  if (one === undefined || other === undefined) return one === other
  return Buffer.compare(one, other) === 0
}
