import { createHash } from 'node:crypto'
import { bytesToHex, type SigningKey } from '../../src/codec/index.ts'
import { checkpointDigest, checkpointSigningBytes } from '../../src/dag/core/checkpoint.ts'
import type { Execution } from '../../src/dag/core/executor.ts'
import type { GenesisFile } from '../../src/dag/core/genesis.ts'
import type { SetLink, Vote } from '../../src/dag/core/set-chain.ts'
import { currentSet, readEpoch } from '../../src/dag/core/validator-state.ts'
import { rotationPayload } from '../../src/ledger/index.ts'
import { accountOf, genesisFile, keyOf, SmallNetwork } from './small-network.ts'

export const peerIdOf = (name: string): string =>
  `12D3KooW${createHash('sha256').update(name).digest('hex').replaceAll('0', 'Z').slice(0, 44)}`

export const validatorKey = (index: number): SigningKey => keyOf(`validator ${index}`)

/** A genesis whose epochs may end as soon as somebody wants a change. */
export function changingGenesis(validators = 4, consensus: Partial<GenesisFile['consensus']> = {}): GenesisFile {
  const file = genesisFile({}, validators)
  return { ...file, consensus: { ...file.consensus, epochMs: 0, ...consensus } }
}

/** A small network whose validators change. Keys are found by their text, whoever holds them. */
export class ChangingNetwork extends SmallNetwork {
  readonly links: SetLink[] = []

  constructor(file: GenesisFile = changingGenesis()) {
    super(file)
  }

  /** Executes one event of this key; its refusal, empty when it was applied. */
  submit(key: SigningKey, type: string, payload: unknown): string {
    const execution = this.order(this.event(key, type, payload))
    this.#link(execution)
    return execution.events[0]!.refusal
  }

  join(key: SigningKey, name: string, changes: object = {}): string {
    this.knows(key)
    return this.submit(key, 'validator-join', { name, peerId: peerIdOf(name), origin: 'o', region: 'r', ...changes })
  }

  approve(by: SigningKey, key: SigningKey): string {
    return this.submit(by, 'validator-approve', { validator: accountOf(key) })
  }

  remove(by: SigningKey, key: SigningKey): string {
    return this.submit(by, 'validator-remove', { validator: accountOf(key) })
  }

  leave(by: SigningKey): string {
    return this.submit(by, 'validator-leave', {})
  }

  rotate(from: SigningKey, to: SigningKey, changes: object = {}): string {
    this.knows(to)
    const proof = rotationPayload({
      genesisDigest: this.genesis.digest,
      oldKey: from.publicKey,
      newKey: to,
      peerId: null
    })
    return this.submit(from, 'validator-rotate', { ...proof, ...changes })
  }

  withdraw(by: SigningKey, change: string, key: SigningKey): string {
    return this.submit(by, 'validator-withdraw', { change, validator: accountOf(key) })
  }

  get epoch(): number {
    return readEpoch(this.executor.state, this.genesis).epoch
  }

  get names(): string[] {
    return currentSet(this.executor.state, this.genesis).members.map(member => member.name)
  }

  /** Empty commits until the epoch has ended; the execution that ended it. */
  endEpoch(commitsMax = 200): Execution {
    for (let count = 0; count < commitsMax; count++) {
      const execution = this.order()
      this.#link(execution)
      if (execution.checkpoint?.nextSet !== undefined) return execution
    }
    throw new Error(`no epoch ended within ${commitsMax} commits`)
  }

  #link({ checkpoint }: Execution): void {
    if (checkpoint?.nextSet === undefined) return
    const votes = this.votesOn(checkpoint.bytes, this.#signers)
    this.links.push({ checkpoint: checkpoint.bytes, votes, set: checkpoint.nextSet })
    this.#signers = this.#keysOfSet()
  }

  /** Votes of these keys, numbered by their place. */
  votesOn(checkpoint: Uint8Array, keys: readonly SigningKey[]): Vote[] {
    const message = checkpointSigningBytes(this.genesis.digest, checkpointDigest(checkpoint))
    return keys.map((key, author) => ({ author, signature: key.sign(message) }))
  }

  /** Keys of the current set, in its order; to be told of every key that may come in. */
  get signers(): readonly SigningKey[] {
    return this.#signers
  }

  knows(...keys: SigningKey[]): void {
    for (const key of keys) this.#known.set(bytesToHex(key.publicKey), key)
  }

  readonly #known = new Map<string, SigningKey>()
  #signers: readonly SigningKey[] = this.genesis.committee.validators.map((_, index) => {
    const key = validatorKey(index)
    this.knows(key)
    return key
  })

  #keysOfSet(): SigningKey[] {
    return currentSet(this.executor.state, this.genesis).members.map(
      member => this.#known.get(bytesToHex(member.publicKey))!
    )
  }
}
