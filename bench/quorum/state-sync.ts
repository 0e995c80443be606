import { parseGenesis } from '../../src/dag/index.ts'
import type { EventLine, NodeStatus } from '../../src/node/index.ts'
import { type BenchNetwork, type BenchNode, pause, withNetwork } from '../network.ts'
import { cost, type Options, plain, type Result } from '../report.ts'
import { finalEvents, SigningClient, untilFinal } from './signing-client.ts'

const validators = 4
const eventsPerRound = 1024
/** More than any history here: no node makes a snapshot unless it is told to. */
const never = 1_000_000_000
/** A follower that is not this far behind catches up by commits in any case. */
const commitsAtLeast = 1100
const joinTimeoutMs = 20 * 60_000

type Joined = { readonly startMs: number; readonly elapsedMs: number; readonly firstEvent: 'there' | 'absent' }

/**
 * How long a new follower takes to have everything: by replaying all of it from genesis, while nobody has a snapshot, and
 * then from a snapshot of the same history. The share leaves out of both what the quicker of the two processes took to
 * start: that is neither replay nor snapshot. The times are whole.
 */
export async function measureStateSync({ quick, note }: Options): Promise<Result[]> {
  const events = quick ? 8192 : 100_000
  const settings = { 'storage.snapshotEveryCommits': never }
  return withNetwork({ validators, learners: 2, later: 2, settings }, async network => {
    note(`a history of ${events} events and at least ${commitsAtLeast} commits`)
    await makeHistory(network, events)
    const commits = (await statusOf(network.nodes[0]!)).quorum.commits
    note(`${commits} commits; a follower replays them`)
    const replay = await join(network, validators)
    note('a follower starts from a snapshot')
    for (const { daemon } of network.nodes)
      await daemon.json({ method: 'POST', path: '/v0/snapshots', timeoutMs: 120_000 })
    const snapshot = await join(network, validators + 1)
    if (replay.firstEvent === 'absent') throw new Error('the follower that should replay started from a snapshot')
    if (snapshot.firstEvent === 'there') throw new Error('the follower that should start from a snapshot replayed')
    const startMs = Math.min(replay.startMs, snapshot.startMs)
    const share = [(snapshot.elapsedMs - startMs) / (replay.elapsedMs - startMs)]
    return [
      cost('quorum.stateSync', "share of a full replay's time", share, [1], 'full replay'),
      plain('quorum.stateSync.replay', 'ms', [replay.elapsedMs]),
      plain('quorum.stateSync.snapshot', 'ms', [snapshot.elapsedMs]),
      plain('quorum.stateSync.startOfProcess', 'ms', [replay.startMs, snapshot.startMs])
    ]
  })
}

async function makeHistory(network: BenchNetwork, events: number): Promise<void> {
  const genesis = parseGenesis(network.genesisText)
  const clients = network.nodes.map(node => new SigningClient(node, genesis))
  for (let done = 0; done < events; done += eventsPerRound * clients.length) {
    for (const client of clients) client.prepare(eventsPerRound)
    await Promise.all(clients.map(client => client.sendAll()))
  }
  while ((await statusOf(network.nodes[0]!)).quorum.commits < commitsAtLeast) {
    for (const client of clients) client.prepare(1)
    await Promise.all(clients.map(client => client.sendAll()))
  }
  for (const client of clients) client.close()
  const target = await settledEvents(network.nodes[0]!)
  for (const node of network.nodes) await untilFinal(node, target)
}

async function settledEvents(node: BenchNode): Promise<number> {
  for (let before = -1; ; await pause(1000)) {
    const now = await finalEvents(node)
    if (now === before) return now
    before = now
  }
}

/** `startMs` of `elapsedMs` went by until the API answered: no part of what is compared, and in both. */
async function join(network: BenchNetwork, place: number): Promise<Joined> {
  const target = await finalEvents(network.nodes[0]!)
  const startedAtMs = performance.now()
  const node = await network.startLater(place)
  const startMs = performance.now() - startedAtMs
  for (; performance.now() - startedAtMs < joinTimeoutMs; await pause(20)) {
    if ((await finalEvents(node)) < target) continue
    const elapsedMs = performance.now() - startedAtMs
    return { startMs, elapsedMs, firstEvent: await firstEventOf(node) }
  }
  throw new Error(`a new follower did not have ${target} events after ${joinTimeoutMs} ms`)
}

/** Whoever starts from a snapshot has nothing of what came before. */
async function firstEventOf({ daemon }: BenchNode): Promise<Joined['firstEvent']> {
  for await (const { sequence } of daemon.lines<EventLine>({ path: '/v0/events', query: { from: 1, limit: 1 } }))
    if (sequence === 1) return 'there'
  return 'absent'
}

function statusOf({ daemon }: BenchNode): Promise<NodeStatus> {
  return daemon.json<NodeStatus>({ path: '/v0/status' })
}
