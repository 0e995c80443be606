import { type CanonicalValue, type SigningKey, sha256 } from '../../src/codec/index.ts'
import type { Vertex } from '../../src/consensus/index.ts'
import { State } from '../../src/dag/core/state.ts'
import { currentSet, type Genesis, type GenesisFile, genesisOf, type HandlerRegistry } from '../../src/dag/index.ts'
import { isBlyanError } from '../../src/errors/index.ts'
import { balanceOf } from '../../src/ledger/book/book.ts'
import type { Coin } from '../../src/ledger/book/coins.ts'
import type { LedgerAccess } from '../../src/node/blyan-node.ts'
import { createHandlers } from '../../src/node/event-handlers.ts'
import { accountOf, genesisFile, keyOf } from '../dag/small-network.ts'

type Economy = NonNullable<GenesisFile['economy']>

export const bly = 10n ** 9n
const text = (coins: bigint): string => (coins * bly).toString()

/** Account keys of the operators of genesis; their validators' keys are `validatorKey(place)`. */
export const operatorKey = (place: number): SigningKey => keyOf(`operator ${place}`)
export const validatorKey = (place: number): SigningKey => keyOf(`validator ${place}`)
/** Has a million BLY and other coins, no stake. */
export const rich = keyOf('rich')
/** Has nothing. */
export const poor = keyOf('poor')

export type WorldOptions = {
  readonly operators?: number
  readonly weights?: Economy['weights']
  readonly parameters?: Economy['parameters']
  readonly model?: GenesisFile['model']
}

/** A genesis file with an economy: operators with 1 000 000 BLY and 100 000 BLY of stake each. */
export function economyGenesisFile({
  operators = 4,
  weights = 'equal',
  parameters = {},
  model
}: WorldOptions = {}): GenesisFile {
  const places = Array.from({ length: operators }, (_, place) => place)
  const others = { GEN: text(100n), NEX: text(1000n), FLX: text(10_000n), AUR: text(100_000n) }
  return genesisFile(
    {
      ...(model === undefined ? {} : { model }),
      accounts: [
        ...places.map(place => ({
          account: accountOf(operatorKey(place)),
          balance: text(1_000_000n),
          stake: text(100_000n),
          coins: others
        })),
        { account: accountOf(rich), balance: text(1_000_000n), stake: '0', coins: others }
      ],
      economy: {
        owner: accountOf(operatorKey(0)),
        weights,
        operators: places.map(place => ({
          validator: accountOf(validatorKey(place)),
          account: accountOf(operatorKey(place)),
          commissionBasisPoints: 500
        })),
        supply: {
          BLY: text(1_000_000_000n),
          GEN: text(1_000_000n),
          NEX: text(10_000_000n),
          FLX: text(100_000_000n),
          AUR: text(1_000_000_000n)
        },
        pools: {
          validation: { BLY: text(10_000_000n) },
          reward: { BLY: text(10_000_000n) },
          treasury: { BLY: text(10_000_000n), ...others }
        },
        parameters
      }
    },
    operators
  )
}

/** Values of the state are shared and encoded late: whoever changes one in place is found out here. */
class GuardedState extends State {
  override get(key: string): CanonicalValue | undefined {
    return frozen(super.get(key))
  }

  override set(key: string, value: CanonicalValue): void {
    super.set(key, frozen(value))
  }
}

function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  if (!Array.isArray(value) && Object.getPrototypeOf(value) !== Object.prototype) return value
  for (const part of Object.values(value)) frozen(part)
  return Object.freeze(value)
}

/** The state machine of a network with an economy, without a quorum: events and commits as a test gives them. */
export class LedgerWorld {
  readonly genesis: Genesis
  handlers: HandlerRegistry
  state: State = new GuardedState()
  nowMs: number
  #round = 0
  #events = 0

  constructor(options: WorldOptions = {}) {
    this.genesis = genesisOf(economyGenesisFile(options))
    this.handlers = createHandlers(this.genesis)
    this.handlers.economy!.begin(this.state)
    this.nowMs = this.genesis.timeMs
    this.requireConserved()
  }

  /** What the views of a node read; its account is that of the first operator. */
  get access(): LedgerAccess {
    const { genesis, state } = this
    return {
      genesis,
      state,
      async *entries(prefix, limit) {
        const found = [...state.entries()].filter(([key]) => key.startsWith(prefix)).sort()
        for (const [key] of found.slice(0, limit)) yield [key, state.get(key)] as const
      },
      account: accountOf(operatorKey(0)),
      validatorKeys: [accountOf(validatorKey(0))]
    }
  }

  /** Of the last commit. */
  get round(): number {
    return this.#round
  }

  /** As if the node was started again: everything is read from its bytes, by new handlers. */
  reload(): void {
    this.state = new GuardedState([...this.state.entries()])
    this.handlers = createHandlers(this.genesis)
  }

  get members() {
    return currentSet(this.state, this.genesis).members
  }

  /** Applies one event now; the code of its refusal, or nothing. A refused event changes nothing. */
  apply(key: SigningKey, type: string, json: unknown): string {
    try {
      return this.applyPayload(key, type, this.handlers.get(type).encodePayload(json))
    } catch (error) {
      if (isBlyanError(error)) return error.code
      throw error
    }
  }

  applyPayload(key: SigningKey, type: string, payload: Uint8Array): string {
    const handler = this.handlers.get(type)
    const envelope = {
      tenantId: '',
      logicalClock: ++this.#events,
      region: '',
      origin: '',
      createdAtMs: this.nowMs,
      type,
      payload,
      author: key.publicKey
    }
    const eventDigest = Buffer.from(sha256(Buffer.from(`event ${this.#events}`))).toString('hex')
    const outcome = this.state.attempt(() =>
      handler.apply({ envelope, eventDigest, state: this.state, timestampMs: this.nowMs })
    )
    // Encodes what was written: a value that the state cannot hold shows here.
    this.state.takeChanges()
    if (outcome.ok) return ''
    if (isBlyanError(outcome.error)) return outcome.error.code
    throw outcome.error
  }

  /** One commit of one round in which these members (all, unless given) have a vertex, `afterMs` later. */
  commit(afterMs = 0, signers: readonly number[] = this.members.map((_, place) => place)): boolean {
    this.nowMs += afterMs
    const round = ++this.#round
    const { epoch } = currentSet(this.state, this.genesis)
    const vertices = signers.map(author => vertexAt(round, author, this.nowMs, { epoch }))
    return this.commitVertices(round, vertices)
  }

  commitVertices(round: number, vertices: readonly Vertex[]): boolean {
    this.#round = round
    const commit = {
      index: round,
      round,
      previous: '00'.repeat(32),
      timestampMs: this.nowMs,
      vertices: vertices.map(({ header, digest }) => ({ round: header.round, author: header.author, digest }))
    }
    const set = currentSet(this.state, this.genesis)
    const isAsked = this.handlers.economy!.afterCommit(this.state, { commit, vertices, set })
    this.state.takeChanges()
    return isAsked
  }

  /** What people and pools have, by system name or key. */
  balance(of: SigningKey | string, coin: Coin = 'BLY'): bigint {
    return balanceOf(this.state, typeof of === 'string' ? of : accountOf(of), coin)
  }

  requireConserved(): void {
    this.handlers.economy!.requireConservedInFull(this.state)
  }
}

/** A vertex as execution sees it: unsigned, with the parents given. */
export function vertexAt(
  round: number,
  author: number,
  timestampMs: number,
  changes: Partial<Vertex['header']> = {}
): Vertex {
  const header = {
    epoch: 0,
    round,
    author,
    timestampMs,
    parents: [],
    eventCount: 0,
    bodyDigest: '00'.repeat(32),
    votes: [],
    ...changes
  }
  const headerBytes = new TextEncoder().encode(JSON.stringify(header))
  return {
    digest: Buffer.from(sha256(headerBytes)).toString('hex'),
    header,
    headerBytes,
    signature: new Uint8Array(64),
    body: new Uint8Array(0)
  }
}
