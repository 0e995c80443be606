import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { cpuSeconds } from '../cpu-time.ts'
import { withNetwork } from '../network.ts'
import { measureFinality } from '../quorum/finality.ts'
import { measureThroughput } from '../quorum/throughput.ts'
import { cost, type Options, percentile, plain, type Result, rate } from '../report.ts'
import { withTemporaryFolder } from '../temporary-folder.ts'
import { cometbft } from './cometbft.ts'
import { etcd } from './etcd.ts'
import type { System, SystemOpener } from './system.ts'

const valueBytes = 200
const pauseMs = 120

type Figures = {
  readonly rates: readonly number[]
  readonly latenciesMs: readonly number[]
  readonly clientShares: readonly number[]
}

/** The same work for others and for us, on this machine, one after the other: values of 200 bytes, one by one and at full speed. */
export async function peersSuite(options: Options): Promise<Result[]> {
  const others: { opener: SystemOpener; figures: Figures }[] = []
  const results: Result[] = []
  for (const opener of [etcd, cometbft]) {
    if (!opener.isHere()) {
      options.note(`${opener.name} is not here: ${opener.install}`)
      results.push(plain(`peers.${opener.name}`, `skipped: ${opener.install}`, [Number.NaN]))
      continue
    }
    const figures = await withTemporaryFolder(folder => drive(opener, folder, options))
    others.push({ opener, figures })
    results.push(...rowsOf(opener, figures))
  }
  await withNetwork({ validators: 4, learners: 0 }, async network => {
    const latenciesMs = await measureFinality(network.nodes, options)
    const throughput = await measureThroughput(network, options)
    const { runs } = throughput.find(({ name }) => name === 'quorum.throughput')!
    results.push(...throughput)
    for (const { opener, figures } of others) {
      results.push(rate(`peers.throughput.vs.${opener.name}`, 'events/s', runs, figures.rates, opener.name))
      for (const percent of [50, 99]) {
        const [ours, theirs] = [latenciesMs, figures.latenciesMs].map(all => percentile(all, percent))
        results.push(cost(`peers.latency.p${percent}.vs.${opener.name}`, 'ms', [ours!], [theirs!], opener.name))
      }
    }
    if (others.length === 0)
      for (const percent of [50, 99])
        results.push(plain(`peers.latency.p${percent}`, 'ms', [percentile(latenciesMs, percent)]))
  })
  return results
}

async function drive(opener: SystemOpener, folder: string, { quick, note }: Options): Promise<Figures> {
  const ownFolder = join(folder, opener.name)
  await mkdir(ownFolder)
  return opener.open(ownFolder, async system => {
    note(`${opener.name}: one by one`)
    const latenciesMs = await latenciesOf(system, quick ? 60 : 500)
    const rates: number[] = []
    const clientShares: number[] = []
    const values = Array.from({ length: quick ? 4096 : 16_384 }, (_, place) => Buffer.alloc(valueBytes, `${place} `))
    for (let run = -1; run < (quick ? 3 : 5); run++) {
      note(`${opener.name}: ${values.length} values, ${run < 0 ? 'warming up' : `run ${run + 1}`}`)
      const [before, ownBefore] = [secondsOf(system), process.cpuUsage()]
      const startedAtMs = performance.now()
      await system.writeAll(values)
      const elapsedMs = performance.now() - startedAtMs
      if (run < 0) continue
      const own = process.cpuUsage(ownBefore)
      const ownSeconds = (own.user + own.system) / 1e6
      rates.push((values.length * 1000) / elapsedMs)
      clientShares.push(ownSeconds / (ownSeconds + secondsOf(system) - before))
    }
    return { rates, latenciesMs, clientShares }
  })
}

async function latenciesOf(system: System, count: number): Promise<number[]> {
  const elapsed: number[] = []
  for (let place = 0; place < count; place++) {
    await new Promise(resolve => setTimeout(resolve, pauseMs * (0.5 + Math.random())))
    const startedAtMs = performance.now()
    await system.write(Buffer.alloc(valueBytes, `single ${place} `))
    elapsed.push(performance.now() - startedAtMs)
  }
  return elapsed
}

function rowsOf({ name }: SystemOpener, { rates, latenciesMs, clientShares }: Figures): Result[] {
  return [
    plain(`peers.${name}.throughput`, 'values/s', rates),
    plain(`peers.${name}.clientCpuShare`, 'share', clientShares),
    plain(`peers.${name}.latency.p50`, 'ms', [percentile(latenciesMs, 50)]),
    plain(`peers.${name}.latency.p99`, 'ms', [percentile(latenciesMs, 99)])
  ]
}

function secondsOf({ pids }: System): number {
  return pids.reduce((sum, pid) => sum + (cpuSeconds(pid) ?? Number.NaN), 0)
}
