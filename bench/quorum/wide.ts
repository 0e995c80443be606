import { dataFolderPaths, readApiToken } from '../../src/node/index.ts'
import { FaultyNetwork } from '../../test/e2e/faulty-network.ts'
import { pause } from '../network.ts'
import { cost, type Options, percentile, type Result } from '../report.ts'
import { withTemporaryFolder } from '../temporary-folder.ts'
import { measureFinality } from './finality.ts'

const validators = 4
const oneWayMs = 50
const delaysToFinality = 3
const settleMs = 3000

/** Finality while everything between two validators takes 50 ms; held against three of those delays, measured. */
export function measureWideFinality(options: Options): Promise<Result[]> {
  options.note(`${validators} validators, ${oneWayMs} ms from each to each`)
  return withTemporaryFolder(async root => {
    const network = await FaultyNetwork.open({ root, validators, seed: 1, namespaces: false })
    try {
      await network.start(...network.places)
      await network.changeAll({ delayMs: oneWayMs })
      const delaysMs = await network.measureDelays(options.quick ? 20 : 100)
      await pause(settleMs)
      const asked = await Promise.all(
        network.places.map(async place => {
          const token = await readApiToken(dataFolderPaths(network.folder(place)))
          return { url: network.apiUrl(place), token: token! }
        })
      )
      const elapsed = await measureFinality(asked, options)
      const limits = delaysMs.map(delayMs => delaysToFinality * delayMs)
      const limitName = `${delaysToFinality} one-way delays of the same links`
      return [50, 95].map(percent =>
        cost(`quorum.finality.wan50.p${percent}`, 'ms', [percentile(elapsed, percent)], limits, limitName)
      )
    } finally {
      await network.close()
    }
  })
}
