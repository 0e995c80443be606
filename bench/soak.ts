import { longLivedMaps } from './heap-maps.ts'
import { httpRequest, openLane } from './http-lane.ts'
import { type BenchNetwork, type BenchNode, type Probe, pause, withNetwork } from './network.ts'
import { type Options, plain, type Result } from './report.ts'

const validators = 4
const eventsPerSecond = 8
const sampleMs = 10_000
const hourMs = 3600 * 1000
/** Growth is counted from here on: caches fill and code is compiled before. */
const warmUpShare = 1 / 3
const mapsNamed = 12

type Sample = { readonly atMs: number; readonly probe: Probe }

/** A network under light steady load for a long while: how fast the memory of each node grows, and what holds it. */
export async function soakSuite({ quick, minutes, note }: Options): Promise<Result[]> {
  const durationMs = (quick ? 2 : minutes) * 60_000
  return withNetwork({ validators, learners: 0 }, async network => {
    note(`${durationMs / 60_000} minutes with ${eventsPerSecond} events a second`)
    const load = steadyLoad(network)
    const startedAtMs = performance.now()
    const samples: Sample[][] = network.nodes.map(() => [])
    for (let atMs = 0; atMs < durationMs; atMs = performance.now() - startedAtMs) {
      await pause(Math.min(sampleMs, durationMs - atMs))
      const probes = await Promise.all(network.nodes.map(node => node.probe()))
      for (const [place, probe] of probes.entries())
        samples[place]!.push({ atMs: performance.now() - startedAtMs, probe })
    }
    const sent = await load.end()
    note(`${sent} events were made final; heap snapshots`)
    const results = [
      plain('soak.events', 'events', [sent]),
      growth('soak.heapGrowthPerHour', samples, probe => probe.heapBytes),
      growth('soak.externalGrowthPerHour', samples, probe => probe.externalBytes),
      growth('soak.residentGrowthPerHour', samples, probe => probe.residentBytes)
    ]
    for (const gauge of ['blyan_graph_vertices', 'blyan_graph_suspended', 'blyan_graph_wanted', 'blyan_events_pending'])
      results.push(plain(`soak.${gauge}`, 'entries', await gaugeOf(network, gauge)))
    const { heapBytes, file } = await network.nodes[0]!.heapSnapshot()
    results.push(plain('soak.heapAfterCollection', 'bytes', [heapBytes]))
    for (const { name, tableBytes } of (await longLivedMaps(file)).slice(0, mapsNamed))
      results.push(plain(`soak.map ${name}`, 'bytes of table', [tableBytes]))
    return results
  })
}

/** One event after the other at each node in turn, at a fixed rate, whatever the answers take. */
function steadyLoad({ nodes }: BenchNetwork): { end(): Promise<number> } {
  let isOn = true
  let done = 0
  const client = async (node: BenchNode): Promise<void> => {
    const lane = openLane(node)
    for (let count = 0; isOn; count++) {
      const request = httpRequest(node, 'POST', '/v0/events?wait=true', { type: 'note', payload: `soak ${count}` })
      const rest = pause((1000 * nodes.length) / eventsPerSecond)
      await lane.send([request])
      done++
      await rest
    }
    lane.close()
  }
  const clients = nodes.map(client)
  return {
    end: async () => {
      isOn = false
      await Promise.all(clients)
      return done
    }
  }
}

/** Slope of the line of least squares, per hour; one value a node. */
function growth(name: string, samples: readonly Sample[][], of: (probe: Probe) => number): Result {
  const perHour = samples.map(all => {
    const counted = all.slice(Math.floor(all.length * warmUpShare))
    const meanAt = mean(counted.map(({ atMs }) => atMs))
    const meanValue = mean(counted.map(({ probe }) => of(probe)))
    const covariance = mean(counted.map(({ atMs, probe }) => (atMs - meanAt) * (of(probe) - meanValue)))
    return (covariance / mean(counted.map(({ atMs }) => (atMs - meanAt) ** 2))) * hourMs
  })
  return plain(name, 'bytes/h', perHour)
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

async function gaugeOf({ nodes }: BenchNetwork, name: string): Promise<number[]> {
  return Promise.all(
    nodes.map(async ({ url, token }) => {
      const answer = await fetch(new URL('/metrics', url), { headers: { authorization: `Bearer ${token}` } })
      return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(await answer.text())?.[1])
    })
  )
}
