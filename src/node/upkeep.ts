import { createRepair, type VertexStore } from '../consensus/index.ts'
import { type Chains, createPruner, type Genesis } from '../dag/index.ts'
import type { Network } from '../net/index.ts'
import type { Database } from '../storage/index.ts'
import type { Config } from './config-schema.ts'
import type { RootLogger } from './logging.ts'

type Job = { start(): void; stop(): Promise<void> }

/** What a node does for its disk beside its work: fetches damaged records again, and prunes where it is told to. */
export function upkeepJobs(needs: {
  readonly genesis: Genesis
  readonly database: Database
  readonly store: VertexStore
  readonly chains: Chains
  readonly network: Network
  readonly config: Config
  readonly logger: RootLogger
}): Job[] {
  const { genesis, database, store, chains, network, config } = needs
  const logger = needs.logger.component('storage')
  const jobs: Job[] = [
    createRepair({ network, database, store, execution: chains, genesisDigest: genesis.digest, logger })
  ]
  if (config.storage.history === 'pruned') {
    const { keepCommits } = config.storage
    jobs.push(createPruner({ database, chains, gcDepthRounds: genesis.parameters.gcDepthRounds, keepCommits, logger }))
  }
  return jobs
}
