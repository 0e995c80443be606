import type { SigningKey } from '../../src/codec/index.ts'
import { type GiftedNode, giftConsent, type Resources, readGifted } from '../../src/ledger/gifted/index.ts'
import { peerProof } from '../../src/ledger/staking/index.ts'
import { accountOf, keyOf } from '../dag/small-network.ts'
import { bly, LedgerWorld, rich, type WorldOptions } from './ledger-world.ts'

export const GiB = 2 ** 30
/** Four cores, 8 GiB: 120 points of computing, 32 of memory, 22 of storage, 59 of network. */
export const machine: Resources = {
  cores: 4,
  megaflops: 8000,
  memoryBytes: 8 * GiB,
  diskFreeBytes: 100 * GiB,
  diskWriteBytesPerSecond: 160 * 2 ** 20,
  peers: 9,
  roundTripMs: 100
}

export const heartbeatMs = 60_000
export const silentMs = 150_000
export const periodMs = 600_000

/** A ledger with short times, and accounts with coins for gifted nodes. */
export function giftedWorld(options: WorldOptions = {}): LedgerWorld {
  const world = new LedgerWorld({
    ...options,
    parameters: {
      periodMs: periodMs.toString(),
      giftedHeartbeatMs: heartbeatMs.toString(),
      giftedSilentMs: silentMs.toString(),
      ...options.parameters
    }
  })
  return world
}

/** Account key of a node, with 1000 BLY when it is asked for the first time. */
export function nodeKey(world: LedgerWorld, name: string): SigningKey {
  const key = keyOf(`gifted ${name}`)
  if (world.balance(key) === 0n) world.apply(rich, 'transfer', { to: accountOf(key), amount: (1000n * bly).toString() })
  return key
}

export type Terms = {
  readonly kind?: 'miner' | 'deployer' | 'validator'
  readonly gifter?: SigningKey
  readonly specialisation?: Record<string, unknown>
  readonly claimed?: Resources
  readonly measured?: Resources
  readonly uptimePpm?: number
  readonly sharePpm?: number
  readonly priority?: string | null
  readonly consent?: string
  readonly peer?: string
}

export function registration(world: LedgerWorld, key: SigningKey, terms: Terms = {}): Record<string, unknown> {
  const { kind = 'miner', gifter = key, uptimePpm = 900_000, sharePpm = 250_000, measured = machine } = terms
  const account = accountOf(key)
  const { digest } = world.genesis
  return {
    name: 'a gift',
    ...peerProof(digest, account, keyOf(`peer ${terms.peer ?? account}`)),
    giftedBy: { kind, account: accountOf(gifter) },
    consent:
      terms.consent ?? (gifter === key ? '' : giftConsent(digest, { account, kind, uptimePpm, sharePpm }, gifter)),
    specialisation: terms.specialisation ?? { kind: 'core', consensusWeight: 1, validationCapacity: 100 },
    claimed: terms.claimed ?? machine,
    measured,
    uptimePpm,
    sharePpm,
    priority: terms.priority ?? null
  }
}

/** Registers a node and gives its account key. Throws the code of a refusal. */
export function gift(world: LedgerWorld, name: string, terms: Terms = {}): SigningKey {
  const key = nodeKey(world, name)
  const refusal = world.apply(key, 'gifted-register', registration(world, key, terms))
  if (refusal !== '') throw new Error(refusal)
  return key
}

export function nodeOf(world: LedgerWorld, key: SigningKey): GiftedNode {
  return readGifted(world.state, accountOf(key))!
}

/** Lets time pass in commits, with a heartbeat of each of these nodes before each. */
export function beat(world: LedgerWorld, keys: readonly SigningKey[], times: number): void {
  for (let time = 0; time < times; time++) {
    world.commit(heartbeatMs)
    for (const key of keys) {
      const refusal = world.apply(key, 'gifted-heartbeat', { measured: machine })
      if (refusal !== '') throw new Error(refusal)
    }
  }
}
