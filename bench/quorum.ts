import { withNetwork } from './network.ts'
import { measureBlocks } from './quorum/blocks.ts'
import { measureFinality, measureOneCrashed } from './quorum/finality.ts'
import { measureIdleBytes } from './quorum/idle-bytes.ts'
import { measureStateSync } from './quorum/state-sync.ts'
import { measureThroughput } from './quorum/throughput.ts'
import { measureWideFinality } from './quorum/wide.ts'
import { type Options, percentile, plain, type Result } from './report.ts'

const validators = 4
/** Sizes of the idle measurement beside the four; the last only on a large machine. */
const idleSizes = [10] as const
const largeIdleSize = 50

export async function quorumSuite(options: Options): Promise<Result[]> {
  const results = [measureBlocks(options)]
  await withNetwork({ validators, learners: 0 }, async network => {
    results.push(await measureIdleBytes(network, 'n4', options))
    results.push(...(await measureThroughput(network, options)))
    const healthy = await measureFinality(network.nodes, options)
    results.push(
      plain('quorum.finality.idle.p50', 'ms', [percentile(healthy, 50)]),
      plain('quorum.finality.idle.p90', 'ms', [percentile(healthy, 90)]),
      plain('quorum.finality.idle.p99', 'ms', [percentile(healthy, 99)])
    )
    results.push(await measureOneCrashed(network, percentile(healthy, 50), options))
  })
  results.push(...(await measureWideFinality(options)))
  results.push(...(await measureStateSync(options)))
  for (const size of options.large ? [...idleSizes, largeIdleSize] : options.quick ? [] : idleSizes) {
    results.push(
      await withNetwork({ validators: size, learners: 0 }, network => measureIdleBytes(network, `n${size}`, options))
    )
  }
  return results
}
