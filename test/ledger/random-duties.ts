import { bytesToHex, sha256 } from '../../src/codec/index.ts'
import { holdingOf, lotOf, responsibilities } from '../../src/guardian/index.ts'
import { giftConsent, readGifted, specialisationCapacities } from '../../src/ledger/gifted/index.ts'
import { memberOperators, peerProof } from '../../src/ledger/staking/index.ts'
import { accountOf } from '../dag/small-network.ts'
import { anyPerson, type Draw, type Generator, nodeKeyOf, orOdd } from './random-events.ts'

/** How long the validators agree that the owner is away, and then that it is there, in committed time. */
const moodMs = 400_000

function anyResources({ random }: Draw): unknown {
  const cores = 1 + random.below(64)
  return {
    cores,
    megaflops: orOdd(random, cores * 10_000),
    memoryBytes: cores * 2 ** 30,
    diskFreeBytes: cores * 2 ** 34,
    diskWriteBytesPerSecond: 2 ** 28,
    peers: random.below(50),
    roundTripMs: random.pick([null, 0, 40, 600_000])
  }
}

/** A node that its own account gives, or one of the others. */
function anyGift(draw: Draw): unknown {
  const { random, world, author, people } = draw
  const account = accountOf(author)
  const kind = random.pick(['miner', 'deployer', 'validator'] as const)
  const gifter = random.happens(500_000) ? author : random.pick(people)
  const terms = { account, kind, uptimePpm: random.pick([0, 500_000, 950_000, 1_000_000]), sharePpm: 300_000 }
  const use = random.pick(Object.keys(specialisationCapacities) as (keyof typeof specialisationCapacities)[])
  const { digest } = world.genesis
  return {
    name: 'a node',
    ...peerProof(digest, account, nodeKeyOf(account)),
    giftedBy: { kind, account: accountOf(gifter) },
    consent: gifter === author ? '' : giftConsent(digest, terms, random.happens(950_000) ? gifter : author),
    specialisation: { kind: use, [specialisationCapacities[use][0]]: random.pick([0, 1, 100, 1_000_000_000]) },
    claimed: anyResources(draw),
    measured: anyResources(draw),
    uptimePpm: terms.uptimePpm,
    sharePpm: terms.sharePpm,
    priority: kind === 'deployer' ? 'normal' : null
  }
}

const preimage = (account: string, number: number): Uint8Array =>
  sha256(new TextEncoder().encode(`lot ${number} of ${account}`))

/** What validators say of the owner and of holders: mostly what all of them say at this time. */
function anyObservation(draw: Draw): unknown {
  const { random, world, author } = draw
  const account = accountOf(author)
  const laid = lotOf(world.state, account)
  const isAway = Math.floor((world.nowMs - world.genesis.timeMs) / moodMs) % 2 === 1
  const common = isAway ? 'failed' : 'healthy'
  return {
    subject: random.happens(700_000) ? world.genesis.file.economy!.owner : holderOf(draw),
    health: random.happens(900_000) ? common : random.pick(['healthy', 'degraded', 'failed', 'unknown']),
    responseMs: random.pick([null, 5, 600_000]),
    issues: random.happens(10_000) ? ['silent', 'silent'] : random.pick([[], ['silent']]),
    lot: bytesToHex(sha256(preimage(account, (laid?.number ?? 0) + 1))),
    opens: laid === undefined ? '' : bytesToHex(preimage(account, laid.number))
  }
}

function holderOf({ random, world }: Draw): string {
  return holdingOf(world.state, random.pick(responsibilities)).holder
}

/** Events of gifted nodes, of duties and of what validators see. */
export const dutyGenerators: Readonly<Record<string, Generator>> = {
  'gifted-register': anyGift,
  'gifted-heartbeat': draw => ({ measured: anyResources(draw) }),
  'gifted-retire': draw => ({ account: anyPerson(draw) }),
  'expert-score': draw => ({
    expert: orOdd(draw.random, 'layer0.expert0'),
    holder: anyPerson(draw),
    scorePpm: orOdd(draw.random, draw.random.below(1_000_001))
  }),
  'health-observation': anyObservation,
  'council-vote': draw => {
    const responsibility = draw.random.pick(responsibilities)
    const { term } = holdingOf(draw.world.state, responsibility)
    return {
      responsibility: orOdd(draw.random, responsibility),
      term: draw.random.happens(900_000) ? term : term + 1,
      nominee: draw.random.happens(500_000) ? accountOf(draw.people[draw.random.below(3)]!) : anyPerson(draw)
    }
  },
  'registry-record': ({ random }) => ({
    nodes: orOdd(random, [{ peerId: 'x'.repeat(46), addresses: ['/ip4/10.0.0.1/tcp/4001'] }])
  }),
  'notary-record': ({ random, world }) => {
    const cursor = world.state.get('executor/cursor') as { sequence: number; previous: Uint8Array } | undefined
    return {
      sequence: orOdd(random, cursor?.sequence ?? 1),
      digest: cursor === undefined ? '00'.repeat(32) : bytesToHex(cursor.previous)
    }
  },
  'core-record': ({ random }) => ({ concerns: orOdd(random, random.pick([[], ['owner-away'], ['treasury-empty']])) })
}

/** Nodes that serve say so; the holders of duties do them. */
export function dutyAuthor(draw: Draw, type: string): string | undefined {
  const { random, world, people } = draw
  if (type === 'gifted-heartbeat' || type === 'gifted-retire')
    return people
      .map(accountOf)
      .find(account => readGifted(world.state, account) !== undefined && random.happens(300_000))
  if (type === 'core-record' || type === 'notary-record' || type === 'registry-record') return holderOf(draw)
  if (type === 'health-observation' || type === 'expert-score')
    return random.pick(memberOperators(world.state, world.genesis))?.operator
  if (type !== 'council-vote') return undefined
  const council = world.state.get('council') as { members: readonly string[] } | undefined
  return council === undefined ? undefined : random.pick(council.members)
}
