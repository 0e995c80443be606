import { createHash } from 'node:crypto'
import { cidOfObject, importSigningKey, publicKeyToText, type SigningKey } from '../../src/codec/index.ts'
import { type Commit, commitDigest, encodeCommit, type Vertex } from '../../src/consensus/index.ts'
import { type EventEnvelope, type SignedEvent, signEvent } from '../../src/dag/core/event.ts'
import { Executor } from '../../src/dag/core/executor.ts'
import { type Genesis, type GenesisFile, genesisOf } from '../../src/dag/core/genesis.ts'
import { HandlerRegistry } from '../../src/dag/core/handlers.ts'
import {
  datasetHandler,
  modelHandler,
  modelRegisterHandler,
  noteHandler,
  partHandler
} from '../../src/dag/core/handlers-model.ts'
import { evidenceHandler, transferHandler, validatorHandlers } from '../../src/ledger/index.ts'
import { createHandlers } from '../../src/node/event-handlers.ts'
import { vertexOf } from '../consensus/dag-builder.ts'

const handlers = [
  noteHandler,
  modelHandler,
  modelRegisterHandler,
  partHandler('expert'),
  partHandler('router'),
  datasetHandler,
  transferHandler
]

export const registry = new HandlerRegistry(handlers)

/** With the handlers that belong to one network. */
export function registryOf(genesis: Genesis): HandlerRegistry {
  return new HandlerRegistry([...handlers, ...validatorHandlers({ genesis }), evidenceHandler({ genesis })])
}

/** The same key every time for a name. */
export function keyOf(name: string, scheme: 'ed25519' | 'secp256k1' = 'ed25519'): SigningKey {
  return importSigningKey(scheme, createHash('sha256').update(name).digest())
}

export const tensorCid = (name: string) => cidOfObject(new TextEncoder().encode(name))
export const accountOf = (key: SigningKey): string => publicKeyToText(key.publicKey)

/** Alice has coins and stake, Bob has coins, Carol has nothing. */
export const [alice, bob, carol] = [keyOf('alice'), keyOf('bob', 'secp256k1'), keyOf('carol')] as const

export function genesisFile(changes: Partial<GenesisFile> = {}, validators = 4): GenesisFile {
  return {
    schema: 'blyan.genesis/1',
    network: 'test',
    createdAt: '2026-01-01T00:00:00Z',
    pact: 'ab'.repeat(32),
    validators: Array.from({ length: validators }, (_, index) => ({
      name: `v${index}`,
      publicKey: accountOf(keyOf(`validator ${index}`)),
      peerId: `peer${index}`,
      origin: 'here',
      region: 'here',
      weight: 1
    })),
    accounts: [
      { account: accountOf(alice), balance: '1000', stake: '10' },
      { account: accountOf(bob), balance: '500', stake: '0' }
    ],
    consensus: {
      heartbeatMs: 1000,
      roundTimeoutMs: 250,
      gcDepthRounds: 60,
      eventsPerVertexMax: 100,
      bodyBytesMax: 1024 * 1024,
      checkpointCommitsMax: 4,
      checkpointIntervalMs: 100_000
    },
    model: {
      architecture: { layers: 1 },
      parts: [
        { name: 'layer0.expert0', blockType: 'expert', layer: 0, tensor: tensorCid('e0').toString(), shape: [4, 4] },
        { name: 'layer0.router', blockType: 'router', layer: 0, tensor: tensorCid('r0').toString(), shape: [4] }
      ]
    },
    ...changes
  }
}

/** Executes what it is told, one vertex to a commit. */
export class SmallNetwork {
  readonly genesis: Genesis
  readonly handlers: HandlerRegistry
  readonly executor: Executor
  /** Of the vertices that are made. */
  vertexEpoch = 0
  readonly #clocks = new Map<SigningKey, number>()
  #previous: string
  #index = 0

  constructor(file: GenesisFile = genesisFile()) {
    this.genesis = genesisOf(file)
    this.handlers = file.economy === undefined ? registryOf(this.genesis) : createHandlers(this.genesis)
    this.executor = new Executor({ genesis: this.genesis, handlers: this.handlers })
    this.#previous = this.genesis.digestHex
  }

  /** Signed with the next clock of its author, unless `logicalClock` is given. */
  event(key: SigningKey, type: string, payload: unknown, changes: Partial<EventEnvelope> = {}): SignedEvent {
    const logicalClock = changes.logicalClock ?? (this.#clocks.get(key) ?? 0) + 1
    if (changes.logicalClock === undefined) this.#clocks.set(key, logicalClock)
    const envelope = {
      tenantId: 'main',
      logicalClock,
      region: 'here',
      origin: 'home',
      createdAtMs: 1_700_000_000_000,
      type,
      payload: payload instanceof Uint8Array ? payload : this.handlers.get(type).encodePayload(payload),
      author: key.publicKey,
      ...changes
    }
    return signEvent(envelope, key, this.genesis.digest)
  }

  /** The commit that orders these events, and its only vertex. */
  commit(...events: readonly SignedEvent[]): { commit: Commit; commitDigest: string; vertices: Vertex[] } {
    this.#index++
    const vertex = vertexOf({
      author: 0,
      round: this.#index,
      parents: [],
      events: events.map(event => event.bytes),
      header: { epoch: this.vertexEpoch }
    })
    const commit: Commit = {
      index: this.#index,
      round: this.#index,
      previous: this.#previous,
      timestampMs: this.genesis.timeMs + this.#index * 10,
      vertices: [{ round: this.#index, author: 0, digest: vertex.digest }]
    }
    this.#previous = commitDigest(encodeCommit(commit))
    return { commit, commitDigest: this.#previous, vertices: [vertex] }
  }

  order(...events: readonly SignedEvent[]): ReturnType<Executor['execute']> {
    return this.executor.execute(this.commit(...events))
  }

  balance(key: SigningKey): bigint {
    return BigInt((this.executor.state.get(`balance/${accountOf(key)}/BLY`) as string | undefined) ?? '0')
  }
}
