// One holder: an engine and the protocols of routing, without a chain. Its first message says what to hold; it ends with its parent.
import { randomBytes } from 'node:crypto'
import { importSigningKey } from '../../src/codec/index.ts'
import { type ArchitectureV2, createEngine, type PartFile } from '../../src/experts/index.ts'
import { createNetwork } from '../../src/net/index.ts'
import { createCommitter, createExpertHolder, createHoldingsBook } from '../../src/routing/index.ts'

export type HolderTask = {
  readonly folder: string
  readonly genesis: string
  readonly digest: readonly number[]
  readonly architecture: ArchitectureV2
  readonly parts: readonly PartFile[]
  /** Tensor -> name of the part. */
  readonly tensors: readonly (readonly [tensor: string, name: string])[]
}

const logger = { debug: () => {}, info: () => {}, warn: () => {} }

process.once('message', message => void hold(message as HolderTask))

async function hold(task: HolderTask): Promise<void> {
  const { architecture, parts, digest } = task
  const engine = createEngine({ tensorFolder: task.folder, threads: 1, logger })
  await engine.start()
  await engine.loadModel({ model: 'bench', architecture, parts })
  const secret = new Uint8Array(randomBytes(32))
  const key = importSigningKey('ed25519', secret)
  const own = { announce: [], peers: [], peersMax: 8, genesis: task.genesis, version: '0.0.0', roles: [], logger }
  const network = createNetwork({ ...own, secret, listen: ['/ip4/127.0.0.1/tcp/0'] })
  const names = new Map(task.tensors)
  const holdings = { account: null, priceUnitsPer1000Rows: 0n, score: 0, openCalls: 0, tensors: [...names.keys()] }
  createHoldingsBook({ network, logger, own: () => holdings })
  createExpertHolder({
    network,
    logger,
    expertOf: tensor => {
      const name = names.get(tensor)
      return name === undefined ? undefined : { model: 'bench', name, width: architecture.width }
    },
    runExperts: request => engine.runExperts(request),
    committerFor: gateway =>
      createCommitter({ key, network: Uint8Array.from(digest), gateway, arithmetic: () => 'integer' })
  })
  await network.start()
  process.once('disconnect', () => void engine.stop().finally(() => process.exit(0)))
  process.send!({ address: network.addresses()[0] })
}
