import { parseGenesis } from '../../src/dag/index.ts'
import { cpuSeconds } from '../cpu-time.ts'
import { verificationsPerSecond } from '../limits.ts'
import type { BenchNetwork } from '../network.ts'
import { type Options, plain, type Result, rate } from '../report.ts'
import { finalEvents, SigningClient, untilFinal } from './signing-client.ts'

const limitMs = 1000

/**
 * Notes of 200 bytes, signed beforehand by many accounts, through the HTTP API of all four, 64 in a request. The time is from the first
 * byte sent until every node has every event final. Nodes and client share the cores; what others on the machine take
 * shows in the limit too, and not at all in `cpuPerNode`.
 */
export async function measureThroughput(
  { nodes, genesisText }: BenchNetwork,
  { quick, note }: Options
): Promise<Result[]> {
  const eventsPerNode = quick ? 1536 : 4096
  const genesis = parseGenesis(genesisText)
  const clients = nodes.map(node => new SigningClient(node, genesis))
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
