import type { SigningKey } from '../../src/codec/index.ts'
import { balanceOf } from '../../src/ledger/book/book.ts'
import { coins } from '../../src/ledger/book/coins.ts'
import { holdIdOf } from '../../src/ledger/holds/hold.ts'
import { parameterTable } from '../../src/ledger/parameters.ts'
import { bondsOf, keyProof, peerProof, unbondingOf } from '../../src/ledger/staking/index.ts'
import { openProposals } from '../../src/ledger/votes/proposals.ts'
import { emergencies, proposalKinds } from '../../src/ledger/votes/rules.ts'
import type { Random } from '../../src/scenarios/seeded-random.ts'
import { accountOf, keyOf } from '../dag/small-network.ts'
import { bly, type LedgerWorld } from './ledger-world.ts'

/** What a generator of events draws from: mostly what makes sense, sometimes what does not. */
export type Draw = {
  readonly random: Random
  readonly world: LedgerWorld
  readonly author: SigningKey
  readonly people: readonly SigningKey[]
  /** The key of a validator that somebody may run. */
  readonly validatorKeys: readonly SigningKey[]
}

export type Generator = (draw: Draw) => unknown

/** One in so many values is not what belongs there. */
const oddChancePpm = 15_000
const oddValues: readonly unknown[] = [
  '0',
  '-1',
  '1.5',
  '1e9',
  '9'.repeat(27),
  '9'.repeat(40),
  '',
  ' 1',
  '0x10',
  'not an account',
  '@treasury',
  '__proto__',
  -1,
  1.5,
  2 ** 53,
  null,
  [],
  {},
  true
]

export function anyPerson({ random, people }: Draw): string {
  return orOdd(random, accountOf(random.pick(people))) as string
}

/** An operator that there is, mostly. */
export function anyOperator(draw: Draw): string {
  const { random, people } = draw
  return orOdd(random, accountOf(people[random.below(Math.min(16, people.length))]!)) as string
}

/** From next to nothing to all there is and one more. */
export function anyAmount({ random, world, author }: Draw, coin: (typeof coins)[number] = 'BLY'): string {
  const balance = balanceOf(world.state, accountOf(author), coin)
  const kinds: readonly (() => bigint)[] = [
    () => BigInt(1 + random.below(1000)),
    () => BigInt(1 + random.below(1000)) * bly,
    () => bly,
    () => balance / BigInt(2 + random.below(100)),
    () => balance,
    () => balance + 1n
  ]
  return orOdd(random, orOne(random.pick(kinds)()).toString()) as string
}

function orOne(units: bigint): bigint {
  return units < 1n ? 1n : units
}

export function orOdd(random: Random, value: unknown): unknown {
  return random.happens(oddChancePpm) ? random.pick(oddValues) : value
}

function anyKey(random: Random): string {
  return `k${random.below(400)}`
}

/** A hold of somebody, known by its key. */
function anyHold({ random, world, people }: Draw): unknown {
  const recent = [...(recentHolds.get(world) ?? [])]
  if (recent.length > 0 && !random.happens(100_000)) return random.pick(recent)
  return orOdd(random, holdIdOf(accountOf(random.pick(people)), anyKey(random)))
}

/** The holds that were quoted last, so that others find them. */
const recentHolds = new WeakMap<LedgerWorld, string[]>()
const recentHoldsMax = 8

function noteHold(world: LedgerWorld, id: string): void {
  const known = recentHolds.get(world) ?? []
  recentHolds.set(world, [...known.slice(1 - recentHoldsMax), id])
}

/** The last proposals, and sometimes one that is long over or not there yet. */
function anyProposal({ random, world }: Draw): number {
  const open = proposalKinds.flatMap(kind => openProposals(world.state, kind))
  if (open.length > 0 && !random.happens(100_000)) return random.pick(open)
  const next = (world.state.get('proposals/next') as number | undefined) ?? 1
  return orOdd(random, Math.max(1, next - random.below(6))) as number
}

const anyText = (random: Random): string => random.pick(['', 'a', 'why not', 'x'.repeat(300), '\u0000\u202e', 'ünï'])

function anyProposalContent(draw: Draw): unknown {
  const { random, people } = draw
  const kind = random.pick(proposalKinds)
  const asked = { kind, title: orOdd(random, `title ${random.below(9)}`), text: anyText(random) }
  if (kind === 'parameters') return { ...asked, changes: anyChanges(random) }
  if (kind === 'payment') return { ...asked, to: anyPerson(draw), coin: random.pick(coins), amount: anyAmount(draw) }
  if (kind === 'appeal') return { ...asked, punishment: anyPunishment(draw) }
  if (kind === 'text') return asked
  const emergency = random.pick(Object.keys(emergencies) as (keyof typeof emergencies)[])
  const name = random.pick(random.happens(900_000) ? emergencies[emergency].actions : ['pause_network', 'rollback'])
  const accounts = [...new Set([anyPerson(draw), accountOf(random.pick(people))])]
  const contents: Record<string, unknown> = {
    rollback: {
      entries: [
        {
          from: random.happens(500_000) ? '@treasury' : anyPerson(draw),
          to: anyPerson(draw),
          coin: random.pick(coins),
          amount: anyAmount(draw)
        }
      ]
    },
    update_validator_set: { operators: [...new Set([anyOperator(draw), anyOperator(draw)])] },
    freeze_accounts: { accounts },
    adjust_rewards: { rewardBaseUnits: (BigInt(random.below(2000)) * bly).toString() },
    emergency_mint: { amount: anyAmount(draw) }
  }
  const durationMs = random.pick([0, 1000, 60_000, 3_600_000, 400 * 3_600_000])
  return { ...asked, emergency, action: { name, ...(contents[name] as object | undefined) }, durationMs }
}

/** Near the usual values, so that the network goes on; at their limits now and then. */
function anyChanges(random: Random): unknown {
  const names = Object.keys(parameterTable) as (keyof typeof parameterTable)[]
  return Array.from({ length: 1 + random.below(2) }, () => {
    const name = random.pick(names)
    const { usual, min, max } = parameterTable[name]
    const value = random.pick([usual, usual + 1n, usual * 2n, usual / 2n, min, max])
    return { name: orOdd(random, name), value: value.toString() }
  })
}

function anyPunishment({ random, world }: Draw): unknown {
  const count = (world.state.get('slashes') as number | undefined) ?? 0
  return orOdd(random, String(Math.max(1, count - random.below(4))))
}

const nodeKeys = new Map<string, SigningKey>()

/** The key of somebody's node, always the same. */
export function nodeKeyOf(account: string): SigningKey {
  const known = nodeKeys.get(account) ?? keyOf(`node of ${account}`)
  nodeKeys.set(account, known)
  return known
}

/** The keys of a validator, mostly those that nobody else has. */
function joined({ random, world, author, people, validatorKeys }: Draw): object {
  const own = validatorKeys[people.indexOf(author)]
  const key = own !== undefined && random.happens(600_000) ? own : random.pick(validatorKeys)
  const nodeKey = random.happens(900_000) ? nodeKeyOf(accountOf(author)) : random.pick(validatorKeys)
  const { digest } = world.genesis
  return {
    ...keyProof(digest, accountOf(author), key),
    ...peerProof(digest, accountOf(author), nodeKey)
  }
}

/** Whose turn it is, where one event follows from another. */
export function authorFor({ world }: Draw, type: string, json: unknown): string | undefined {
  const id = (json as { hold?: unknown } | null | undefined)?.hold
  const hold = world.state.get(`hold/${String(id)}`) as { payee: string; payer: string | null } | undefined
  if (hold === undefined) return undefined
  return type === 'hold-authorise' ? (hold.payer ?? undefined) : hold.payee
}

/** How often a type is drawn, in parts of how often others are: 10 unless given. */
export const weights: Readonly<Record<string, number>> = {
  'hold-quote': 20,
  'hold-authorise': 30,
  'hold-capture': 30,
  'hold-credit': 20,
  'hold-fail': 2,
  'hold-reverse': 3,
  transfer: 30,
  stake: 30,
  unstake: 20,
  'operator-leave': 2,
  'operator-rotate': 5,
  'operator-edit': 5,
  'proposal-vote': 40,
  'proposal-withdraw': 3,
  'health-observation': 40,
  'gifted-register': 5,
  'gifted-retire': 2,
  'council-vote': 5
}

/** One for every type of event that moves coins or says who has a say. */
export const generators: Readonly<Record<string, Generator>> = {
  transfer: draw => {
    const { random } = draw
    const coin = random.pick(coins)
    const key = random.happens(200_000) ? { key: anyKey(random) } : {}
    return { to: anyPerson(draw), coin: orOdd(random, coin), amount: anyAmount(draw, coin), memo: '', ...key }
  },
  'hold-quote': draw => {
    const { random, world, author } = draw
    const key = anyKey(random)
    noteHold(world, holdIdOf(accountOf(author), key))
    return {
      payer: random.happens(500_000) ? null : anyPerson(draw),
      coin: orOdd(random, random.happens(700_000) ? 'BLY' : random.pick(coins)),
      amount: orOdd(random, String(1 + random.below(10 ** 9))),
      service: {
        kind: 'inference',
        expert: random.pick([null, 'layer0.expert0', 'layer0.router', 'nothing']),
        calls: orOdd(random, random.pick([1, 10, 10, 1_000_000]))
      },
      key: orOdd(random, key)
    }
  },
  'hold-authorise': draw => {
    const hold = anyHold(draw)
    const quoted = (draw.world.state.get(`hold/${String(hold)}`) as { quoted: string } | undefined)?.quoted
    return { hold, amount: quoted !== undefined && draw.random.happens(900_000) ? quoted : anyAmount(draw) }
  },
  'hold-capture': draw => {
    const hold = anyHold(draw)
    const held = (draw.world.state.get(`hold/${String(hold)}`) as { authorised: string | null } | undefined)?.authorised
    return {
      hold,
      amount: typeof held === 'string' && draw.random.happens(900_000) ? held : anyAmount(draw),
      usage: { calls: draw.random.pick([0, 1, 5]), responseMsTotal: draw.random.below(1000) }
    }
  },
  'hold-credit': draw => ({ hold: anyHold(draw) }),
  'hold-fail': draw => ({ hold: anyHold(draw), reason: anyText(draw.random).slice(0, 200) }),
  'hold-reverse': draw => ({ hold: anyHold(draw), reason: '' }),
  stake: draw => {
    const amount = (BigInt(1 + draw.random.below(2000)) * bly).toString()
    return { operator: anyOperator(draw), amount: draw.random.happens(800_000) ? amount : anyAmount(draw) }
  },
  unstake: draw => {
    const bonds = bondsOf(draw.world.state, accountOf(draw.author))
    const bond = bonds.length > 0 ? draw.random.pick(bonds) : undefined
    if (bond === undefined || draw.random.happens(100_000))
      return { operator: anyOperator(draw), amount: anyAmount(draw) }
    const part = bond.units / BigInt(1 + draw.random.below(4))
    return { operator: bond.operator, amount: orOdd(draw.random, orOne(part).toString()) }
  },
  'unstake-cancel': ({ random, world, author }) => {
    const entries = unbondingOf(world.state, accountOf(author))
    const known = entries.length > 0 && random.happens(700_000) ? random.pick(entries).number : 1 + random.below(12)
    return { entry: orOdd(random, known) }
  },
  'earnings-claim': draw => {
    const bonds = bondsOf(draw.world.state, accountOf(draw.author))
    const known = bonds.length > 0 && draw.random.happens(800_000)
    return { operator: known ? draw.random.pick(bonds).operator : anyOperator(draw) }
  },
  'operator-join': draw => ({
    ...joined(draw),
    name: orOdd(draw.random, 'somebody'),
    origin: 'here',
    region: 'there',
    website: draw.random.happens(20_000) ? 'javascript:alert(1)' : 'https://example.org',
    commissionBasisPoints: draw.random.happens(20_000) ? 10_001 : draw.random.pick([0, 500, 10_000])
  }),
  'operator-leave': () => ({}),
  'operator-edit': ({ random }) => ({
    name: random.happens(20_000) ? 'x'.repeat(65) : `name ${random.below(5)}`,
    commissionBasisPoints: random.pick([null, null, 0, 500, 550, 9000])
  }),
  'operator-unjail': () => ({}),
  'operator-rotate': draw => {
    const { key, proof, peerId, peerProof: byPeer } = joined(draw) as Record<string, string>
    return draw.random.happens(500_000) ? { key, proof } : { key, proof, peerId, peerProof: byPeer }
  },
  'proposal-new': anyProposalContent,
  'proposal-vote': draw => ({
    proposal: anyProposal(draw),
    vote: draw.random.happens(10_000) ? 'maybe' : draw.random.pick(['yes', 'yes', 'yes', 'no', 'abstain'])
  }),
  'proposal-withdraw': draw => ({ proposal: anyProposal(draw) })
}
