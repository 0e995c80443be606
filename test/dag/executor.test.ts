import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { SignedEvent } from '../../src/dag/core/event.ts'
import { type ExecutedEvent, Executor, eventLeaf } from '../../src/dag/core/executor.ts'
import { createRandom } from '../sim/random.ts'
import { accountOf, alice, bob, carol, registry, SmallNetwork } from './small-network.ts'

const refusals = (execution: ReturnType<Executor['execute']>) => execution.events.map(({ refusal }) => refusal)

test('an author`s events are executed in the order of their clocks: a gap is early, not executed', () => {
  const network = new SmallNetwork()
  const first = network.event(carol, 'note', 'one')
  const second = network.event(carol, 'note', 'two')
  const early = network.order(second)
  assert.deepEqual([early.events.length, early.early, early.ordered], [0, [second.digest], []])
  assert.equal(network.executor.clockOf(carol.publicKey), 0)
  assert.equal(network.order(first).events.length, 1)
  assert.deepEqual(network.order(second).ordered, [second.digest])
  assert.equal(network.executor.clockOf(carol.publicKey), 2)
})

test('a replay is dropped, in the same commit and later', () => {
  const network = new SmallNetwork()
  const event = network.event(alice, 'transfer', { to: accountOf(bob), amount: '1' })
  assert.equal(network.order(event, event).events.length, 1)
  const replay = network.order(event)
  assert.deepEqual([replay.events.length, replay.early, replay.ordered], [0, [], [event.digest]])
  assert.equal(network.balance(bob), 501n)
})

test('of two events with one clock the first in the order counts', () => {
  const network = new SmallNetwork()
  const one = network.event(alice, 'note', 'a', { logicalClock: 1 })
  const two = network.event(alice, 'note', 'b', { logicalClock: 1 })
  const { events, ordered } = network.order(two, one)
  assert.deepEqual(
    events.map(({ event }) => event.digest),
    [two.digest]
  )
  assert.deepEqual(ordered, [two.digest, one.digest])
})

test('a clock of zero is never executed', () => {
  const network = new SmallNetwork()
  assert.equal(network.order(network.event(alice, 'note', 'a', { logicalClock: 0 })).events.length, 0)
})

test('a refused event changes nothing but its author`s clock, and takes its place in the order', () => {
  const [network, plain] = [new SmallNetwork(), new SmallNetwork()]
  const refused = network.order(network.event(carol, 'transfer', { to: accountOf(bob), amount: '1' }))
  assert.deepEqual(refusals(refused), ['BALANCE_TOO_LOW'])
  assert.deepEqual([refused.events[0]!.sequence, refused.events[0]!.block, refused.blocks], [1, null, []])
  plain.order(plain.event(carol, 'note', 'x'))
  assert.equal(network.executor.state.root(), plain.executor.state.root())
  assert.equal(network.order(network.event(carol, 'note', 'y')).events[0]!.sequence, 2)
})

test('types that nobody knows and payloads that make no sense are refused, never thrown', () => {
  const network = new SmallNetwork()
  const payloads = ['', 'ff', 'a0', '80', '00', 'f6', `${'81'.repeat(5000)}00`, 'a162746f01'].map(
    hex => new Uint8Array(Buffer.from(hex, 'hex'))
  )
  for (const type of ['transfer', 'expert', 'router', 'dataset', 'unheard-of']) {
    for (const payload of payloads) {
      const [refusal] = refusals(network.order(network.event(alice, type, payload)))
      assert.match(refusal!, /^EVENT_(PAYLOAD_INVALID|TYPE_UNKNOWN)$/)
    }
  }
})

test('any payload of any type is applied or refused, never thrown', () => {
  const network = new SmallNetwork()
  fc.assert(
    fc.property(fc.constantFrom('note', 'model', 'expert', 'transfer', 'dataset'), fc.uint8Array(), (type, payload) => {
      assert.equal(network.order(network.event(alice, type, payload)).events.length, 1)
    })
  )
})

test('sequences run without gaps over commits and checkpoints', () => {
  const network = new SmallNetwork()
  const sequences: number[] = []
  const covered: number[] = []
  for (let i = 0; i < 12; i++) {
    const events = [alice, bob, carol].slice(0, i % 4).map(key => network.event(key, 'note', `${i}`))
    const execution = network.order(...events)
    sequences.push(...execution.events.map(({ sequence }) => sequence))
    const checkpoint = execution.checkpoint?.checkpoint
    if (checkpoint !== undefined)
      for (let n = 0; n < checkpoint.eventCount; n++) covered.push(checkpoint.eventFirst + n)
  }
  assert.deepEqual(
    sequences,
    Array.from(sequences.keys(), place => place + 1)
  )
  assert.deepEqual(covered, sequences)
})

test('checkpoints are a chain from genesis', () => {
  const network = new SmallNetwork()
  const found = Array.from({ length: 12 }, () => network.order(network.event(bob, 'note', 'x')).checkpoint).filter(
    one => one !== undefined
  )
  assert.deepEqual(
    found.map(({ checkpoint }) => checkpoint.sequence),
    [1, 2, 3]
  )
  assert.deepEqual(
    found.map(({ checkpoint }) => checkpoint.previous),
    [network.genesis.digestHex, found[0]!.digest, found[1]!.digest]
  )
})

test('the same commits give the same bytes, whether executed at once or after a restart at any commit', () => {
  fc.assert(
    fc.property(fc.integer(), seed => {
      const random = createRandom(seed)
      const network = new SmallNetwork()
      const commits = Array.from({ length: 14 }, () => network.commit(...randomEvents(random, network)))
      const straight = new Executor({ genesis: network.genesis, handlers: registry })
      let restarting = new Executor({ genesis: network.genesis, handlers: registry })
      const stored = new Map<string, Uint8Array>()
      const keep = (changes: ReadonlyMap<string, Uint8Array | undefined>) => {
        for (const [key, value] of changes) value === undefined ? stored.delete(key) : stored.set(key, value)
      }
      keep(restarting.state.takeChanges())
      let leaves: Uint8Array[] = []
      for (const commit of commits) {
        const [one, other] = [straight.execute(commit), restarting.execute(commit)]
        assert.deepEqual(other.checkpoint, one.checkpoint)
        assert.deepEqual(
          other.blocks.map(block => block.cid.toString()),
          one.blocks.map(block => block.cid.toString())
        )
        assert.equal(restarting.state.root(), straight.state.root())
        keep(other.state)
        leaves = other.checkpoint === undefined ? [...leaves, ...other.events.map(leafOf)] : []
        if (random.chance(0.3))
          restarting = new Executor({
            genesis: network.genesis,
            handlers: registry,
            stored: {
              entries: stored,
              parts: restarting.parts.names().flatMap(name => restarting.parts.history(name)),
              leaves
            }
          })
      }
      assert.deepEqual(restarting.parts, straight.parts)
    }),
    { numRuns: 15 }
  )
})

test('cutting the same events into other commits changes no state and no block', () => {
  fc.assert(
    fc.property(fc.integer(), seed => {
      const random = createRandom(seed)
      const writer = new SmallNetwork()
      const events = Array.from({ length: 20 }, () => randomEvents(random, writer)).flat()
      const [small, large] = [new SmallNetwork(), new SmallNetwork()]
      const blocksOf = (network: SmallNetwork, size: () => number): string[] => {
        const blocks: string[] = []
        for (let at = 0, take = size(); at < events.length; at += take, take = size())
          blocks.push(...network.order(...events.slice(at, at + take)).blocks.map(block => block.cid.toString()))
        return blocks
      }
      assert.deepEqual(
        blocksOf(small, () => 1),
        blocksOf(large, () => random.integer(1, 12))
      )
      for (const key of [alice, bob, carol]) assert.equal(small.balance(key), large.balance(key))
      for (const chain of ['A', 'B', 'C', 'D'] as const)
        assert.deepEqual(small.executor.chain(chain), large.executor.chain(chain))
    }),
    { numRuns: 15 }
  )
})

function randomEvents(random: ReturnType<typeof createRandom>, network: SmallNetwork): SignedEvent[] {
  const keys = [alice, bob, carol]
  return Array.from({ length: random.integer(0, 4) }, () => {
    const key = random.pick(keys)
    const [type, payload] = random.pick<[string, unknown]>([
      ['note', `${random.next()}`],
      ['transfer', { to: accountOf(random.pick(keys)), amount: String(random.integer(1, 400)) }],
      ['model', { layers: random.integer(1, 9) }],
      ['unheard-of', new Uint8Array(1)]
    ])
    return network.event(key, type, payload)
  })
}

function leafOf({ event, refusal }: ExecutedEvent): Uint8Array {
  return eventLeaf(event.digest, refusal)
}
