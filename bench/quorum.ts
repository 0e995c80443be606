import {
  type CanonicalValue,
  cidOfObject,
  encodeCanonical,
  generateSigningKey,
  type SigningKey,
  sha256
} from '../src/codec/index.ts'
import { decodeBlock, type Genesis, parseGenesis, signEvent, topologicalOrder } from '../src/dag/index.ts'
import type { NodeStatus } from '../src/node/index.ts'
import { cpuSeconds } from './cpu-time.ts'
import { type HttpLane, httpRequest, openLane } from './http-lane.ts'
import { hashMs, verificationsPerSecond } from './limits.ts'
import { type BenchNetwork, type BenchNode, pause, withNetwork } from './network.ts'
import { type Options, percentile, plain, type Result, rate } from './report.ts'

const validators = 4
const payloadBytes = 200
const accountsPerLane = 32
const limitMs = 1000
const finalityPauseMs = 120
const finalTimeoutMs = 60_000
const blockCount = 2000
const dayMs = 24 * 3600 * 1000

export async function quorumSuite(options: Options): Promise<Result[]> {
  const results = [measureBlocks(options)]
  await withNetwork({ validators, learners: 0 }, async network => {
    results.push(await measureIdleBytes(network, 'n4', options))
    results.push(...(await measureThroughput(network, options)))
    const healthy = await measureFinality(network, options)
    results.push(
      plain('quorum.finality.idle.p50', 'ms', [percentile(healthy, 50)]),
      plain('quorum.finality.idle.p90', 'ms', [percentile(healthy, 90)]),
      plain('quorum.finality.idle.p99', 'ms', [percentile(healthy, 99)])
    )
    results.push(await measureOneCrashed(network, percentile(healthy, 50), options))
  })
  if (!options.quick) {
    results.push(
      await withNetwork({ validators: 10, learners: 0 }, network => measureIdleBytes(network, 'n10', options))
    )
  }
  return results
}

/** Blocks as they come, each checked on its own: canonical header, hash, dependencies known. */
function measureBlocks({ quick, note }: Options): Result {
  note(`${blockCount} blocks verified one after the other`)
  const blocks = chainOfBlocks()
  const rates: number[] = []
  const limits: number[] = []
  for (let run = 0; run < (quick ? 5 : 15); run++) {
    limits.push((blockCount * 1000) / hashMs(blocks.map(({ bytes }) => bytes)))
    const startedAtMs = performance.now()
    const graph = new Map<string, string[]>()
    for (const { bytes, cid } of blocks) {
      const block = decodeBlock(bytes)
      const dependencies = block.header.depends_on.map(String)
      if (block.cid.toString() !== cid || !dependencies.every(one => graph.has(one)))
        throw new Error('a right block was refused')
      graph.set(cid, dependencies)
    }
    topologicalOrder(graph)
    rates.push((blockCount * 1000) / (performance.now() - startedAtMs))
  }
  return rate('quorum.verifyBlocks', 'blocks/s', rates, limits, 'SHA-256 of the same bytes, one core')
}

/** Versions of one expert, each building on the one before. */
function chainOfBlocks(): { bytes: Uint8Array; cid: string }[] {
  const key = generateSigningKey()
  const blocks: { bytes: Uint8Array; cid: string }[] = []
  const meta = cidOfObject(encodeCanonical('meta'))
  let parent = meta
  for (let index = 0; index < blockCount; index++) {
    const tensor = cidOfObject(encodeCanonical(index))
    const bytes = encodeCanonical({
      index,
      chain_id: 'B',
      depends_on: index === 0 ? [] : [parent],
      block_type: 'expert',
      expert_name: 'layer0.expert0',
      layer_id: 0,
      payload_hash: sha256(tensor.bytes),
      nonce: 0,
      miner_pub: key.publicKey,
      payload_sig: key.sign(tensor.bytes),
      tensor,
      event: cidOfObject(encodeCanonical(`event ${index}`))
    } satisfies CanonicalValue)
    parent = cidOfObject(bytes)
    blocks.push({ bytes, cid: parent.toString() })
  }
  return blocks
}

/** What all sockets of one node send and receive while nobody asks for anything; TCP and IP headers are not in it. */
async function measureIdleBytes({ nodes }: BenchNetwork, size: string, { quick, note }: Options): Promise<Result> {
  const durationMs = quick ? 40_000 : 90_000
  note(`idle for ${durationMs / 1000} s, ${size}`)
  // Past the hellos and the checkpoint that follow the start.
  await pause(5000)
  const startedAtMs = performance.now()
  const before = await Promise.all(nodes.map(node => node.probe()))
  await pause(durationMs)
  const after = await Promise.all(nodes.map(node => node.probe()))
  const elapsedMs = performance.now() - startedAtMs
  const perDay = after.map((probe, place) => {
    const bytes = probe.receivedBytes + probe.sentBytes - before[place]!.receivedBytes - before[place]!.sentBytes
    return (bytes * dayMs) / elapsedMs
  })
  return plain(`quorum.idleBytesPerDay.${size}`, 'bytes', perDay)
}

/** Milliseconds from submission to the final answer, one event at a time, spread over the first nodes. */
async function measureFinality({ nodes }: BenchNetwork, options: Options, asked = nodes): Promise<number[]> {
  const count = options.quick ? 60 : 500
  options.note(`finality of ${count} single events, ${asked.length} nodes asked`)
  const lanes = asked.map(node => openLane(node))
  const elapsed: number[] = []
  const warmUp = 10
  for (let place = -warmUp; place < count; place++) {
    const turn = (place + warmUp) % lanes.length
    const request = httpRequest(asked[turn]!, 'POST', '/v0/events?wait=true', {
      type: 'note',
      payload: `bench ${place}`
    })
    await pause(finalityPauseMs * (0.5 + Math.random()))
    const startedAtMs = performance.now()
    const [answer] = await lanes[turn]!.send([request])
    if (place >= 0) elapsed.push(performance.now() - startedAtMs)
    if ((JSON.parse(answer!.toString()) as { final: boolean }).final !== true) throw new Error('an event is not final')
  }
  for (const lane of lanes) lane.close()
  return elapsed
}

/** The median with one validator killed, to the median before; the dead one is not asked. */
async function measureOneCrashed(network: BenchNetwork, healthyP50: number, options: Options): Promise<Result> {
  const victim = network.nodes.at(-1)!
  victim.process.signal('SIGKILL')
  await victim.process.ended
  await pause(2000)
  const crashed = await measureFinality(network, options, network.nodes.slice(0, -1))
  return plain('quorum.finality.oneCrashed.p50', 'times healthy', [percentile(crashed, 50) / healthyP50])
}

/**
 * Notes of 200 bytes, signed beforehand by many accounts, through the HTTP API of all four. The time is from the first
 * byte sent until every node has every event final. Nodes and client share the cores; what others on the machine take
 * shows in the limit too, and not at all in `cpuPerNode`.
 */
async function measureThroughput({ nodes, genesisText }: BenchNetwork, { quick, note }: Options): Promise<Result[]> {
  const eventsPerNode = quick ? 1536 : 4096
  const genesis = parseGenesis(genesisText)
  const clients = nodes.map(node => new NodeClient(node, genesis))
  const rates: number[] = []
  const limits: number[] = []
  const nodeCpu: number[] = []
  const clientShares: number[] = []
  for (let run = -1; run < (quick ? 3 : 7); run++) {
    note(run < 0 ? 'throughput, warming up' : `throughput, run ${run + 1}`)
    for (const client of clients) client.prepare(eventsPerNode)
    const verifications = await verificationsPerSecond(limitMs)
    const count = eventsPerNode * nodes.length
    const target = (await finalEvents(nodes[0]!)) + count
    const cpuBefore = nodes.map(({ pid }) => cpuSeconds(pid))
    const ownBefore = process.cpuUsage()
    const startedAtMs = performance.now()
    await Promise.all(clients.map(client => client.sendAll()))
    await Promise.all(nodes.map(node => untilFinal(node, target)))
    const elapsedMs = performance.now() - startedAtMs
    if (run < 0) continue
    rates.push((count * 1000) / elapsedMs)
    limits.push(verifications / nodes.length)
    const own = process.cpuUsage(ownBefore)
    const ownSeconds = (own.user + own.system) / 1e6
    const used = nodes.map(({ pid }, place) => (cpuSeconds(pid) ?? Number.NaN) - (cpuBefore[place] ?? Number.NaN))
    const nodeSeconds = used.reduce((sum, seconds) => sum + seconds, 0)
    if (Number.isNaN(nodeSeconds)) continue
    nodeCpu.push((nodeSeconds * 1e6) / (count * nodes.length))
    clientShares.push(ownSeconds / (ownSeconds + nodeSeconds))
  }
  for (const client of clients) client.close()
  const limitName = `Ed25519 verifications/s of all cores / ${nodes.length}`
  return [
    rate('quorum.throughput', 'events/s', rates, limits, limitName),
    ...(nodeCpu.length === 0
      ? []
      : [
          plain('quorum.throughput.cpuPerNode', 'µs of processor per event', nodeCpu),
          plain('quorum.throughput.clientCpuShare', 'share', clientShares)
        ])
  ]
}

/** Accounts of its own for one node, an event of each in flight: the clock of an account allows no gap. */
class NodeClient {
  readonly #node: BenchNode
  readonly #genesis: Genesis
  readonly #lane: HttpLane
  readonly #accounts: { readonly key: SigningKey; clock: number }[]
  #requests: Buffer[] = []

  constructor(node: BenchNode, genesis: Genesis) {
    this.#node = node
    this.#genesis = genesis
    this.#lane = openLane(node)
    this.#accounts = Array.from({ length: accountsPerLane }, () => ({ key: generateSigningKey(), clock: 0 }))
  }

  /** Signs as many events and makes their requests, account by account in turn. */
  prepare(count: number): void {
    this.#requests = Array.from({ length: count }, (_, place) => {
      const account = this.#accounts[place % accountsPerLane]!
      account.clock++
      const event = signEvent(
        {
          tenantId: '',
          logicalClock: account.clock,
          region: 'local',
          origin: 'bench',
          createdAtMs: Date.now(),
          type: 'note',
          payload: Buffer.alloc(payloadBytes, `${account.clock} `),
          author: account.key.publicKey
        },
        account.key,
        this.#genesis.digest
      )
      const body = { signedEvent: Buffer.from(event.bytes).toString('base64') }
      return httpRequest(this.#node, 'POST', '/v0/events?wait=false', body)
    })
  }

  async sendAll(): Promise<void> {
    for (let start = 0; start < this.#requests.length; start += accountsPerLane)
      await this.#lane.send(this.#requests.slice(start, start + accountsPerLane))
  }

  close(): void {
    this.#lane.close()
  }
}

async function finalEvents({ daemon }: BenchNode): Promise<number> {
  return (await daemon.json<NodeStatus>({ path: '/v0/status' })).events.final
}

async function untilFinal(node: BenchNode, target: number): Promise<void> {
  for (const endsAtMs = performance.now() + finalTimeoutMs; performance.now() < endsAtMs; await pause(20))
    if ((await finalEvents(node)) >= target) return
  throw new Error(`${node.process.folder.name} did not have all events final after ${finalTimeoutMs} ms`)
}
