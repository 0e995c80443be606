import { bytesEqual, publicKeyToText } from '../codec/index.ts'
import { createQuorum, createVertexStore, openSigner } from '../consensus/index.ts'
import {
  datasetHandler,
  type Genesis,
  HandlerRegistry,
  modelHandler,
  noteHandler,
  openChains,
  parseGenesis,
  partHandler
} from '../dag/index.ts'
import { BlyanError } from '../errors/index.ts'
import { transferHandler } from '../ledger/index.ts'
import { createNetwork } from '../net/index.ts'
import { createIpfs, openDatabase, openReferenceBlockstore } from '../storage/index.ts'
import { createTensorStore } from '../tiles/index.ts'
import { chainBlockSource } from './block-source.ts'
import type { BlyanNode } from './blyan-node.ts'
import { readSmallFile } from './durable-file.ts'
import { createEventService } from './event-service.ts'
import { pactDigest } from './genesis-pact.ts'
import { createMetrics } from './metrics.ts'
import { createModelService } from './model-service.ts'
import { RunningNode } from './running-node.ts'
import type { StartNodeInput } from './start-input.ts'

const genesisFileBytesMax = 64 * 1024 * 1024

/**
 * Opens everything in order and starts it; what was opened is closed again when a later part fails.
 * Throws GENESIS_*, LISTEN_ADDRESS_TAKEN, DISK_*, DATABASE_*, SIGNER_STATE_DAMAGED, VALIDATOR_KEY_FOREIGN.
 */
export async function startNode(input: StartNodeInput): Promise<BlyanNode> {
  const { dataFolder, config, keys, logger } = input
  const { paths } = dataFolder
  const closers: (() => Promise<unknown>)[] = []
  const fatal = (error: unknown): void => {
    if (input.onFatal !== undefined) input.onFatal(error)
    else
      queueMicrotask(() => {
        throw error
      })
  }
  try {
    await dataFolder.requireFreeBytes(config.storage.minimumFreeBytes)
    const genesis = await readGenesis(paths.root, config.network.genesisFile)
    const validator = validatorIndex(genesis, input)
    const handlers = new HandlerRegistry([
      noteHandler,
      modelHandler,
      ...(['expert', 'router', 'attention', 'embedding'] as const).map(partHandler),
      datasetHandler,
      transferHandler
    ])

    const database = await openDatabase(paths.databaseFolder)
    closers.push(() => database.close())
    const blockstore = await openReferenceBlockstore({
      blocksFolder: paths.blocksFolder,
      tensorsFolder: paths.tensorsFolder
    })
    closers.push(() => blockstore.close())
    const chains = await openChains({ genesis, handlers, database, vertices: createVertexStore(database) })
    blockstore.attachSource(chainBlockSource(chains))

    const network = createNetwork({
      secret: keys.node.exportSecret(),
      listen: config.network.listen,
      announce: config.network.announce,
      peers: config.network.peers,
      peersMax: config.network.maxPeers,
      genesis: genesis.cid,
      version: input.version,
      roles: config.node.roles,
      logger: logger.component('net')
    })
    const quorum = createQuorum({
      committee: genesis.committee,
      genesisDigest: genesis.digest,
      genesisTimeMs: genesis.timeMs,
      parameters: genesis.parameters,
      self:
        validator === undefined
          ? undefined
          : { index: validator, signer: openSigner({ key: keys.validator!, file: paths.signerStateFile }) },
      network,
      database,
      execution: chains,
      logger: logger.component('quorum'),
      onFatal: fatal
    })
    const events = createEventService({
      genesis,
      handlers,
      chains,
      quorum,
      network,
      validator,
      account: keys.account,
      region: config.node.region,
      origin: config.node.origin
    })
    await quorum.start()
    closers.push(() => quorum.stop())
    await network.start()
    closers.push(() => network.stop())

    const ipfs = createIpfs({ libp2p: network.libp2p, blockstore })
    await ipfs.start()
    closers.push(() => ipfs.stop())
    const tensors = await createTensorStore({ blockstore, fetchBlock: (cid, options) => ipfs.fetchBlock(cid, options) })
    closers.push(() => tensors.close())
    const model = createModelService({
      genesis,
      parts: chains.parts,
      tensors,
      tensorFolder: paths.tensorsFolder,
      settings: config.experts,
      logger: logger.component('experts')
    })
    closers.push(() => model.stop())
    events.start()
    const metrics = createMetrics()
    events.onFinalityMs(elapsedMs => metrics.observeFinality(elapsedMs))
    return new RunningNode(
      { input, genesis, handlers, network, chains, quorum, tensors, events, model, metrics, validator },
      async () => {
        events.stop()
        await closeAll(closers)
      }
    )
  } catch (error) {
    await closeAll(closers).catch(() => {})
    throw error
  }
}

async function closeAll(closers: readonly (() => Promise<unknown>)[]): Promise<void> {
  let failure: unknown
  for (const close of [...closers].reverse()) {
    try {
      await close()
    } catch (error) {
      failure ??= error
    }
  }
  if (failure !== undefined) throw failure
}

async function readGenesis(root: string, name: string): Promise<Genesis> {
  const file = name.startsWith('/') ? name : `${root}/${name}`
  const text = await readSmallFile(file, genesisFileBytesMax)
  if (text === null) throw new BlyanError('GENESIS_MISSING', { path: file, dataFolder: root })
  const genesis = parseGenesis(text)
  const ours = await pactDigest()
  if (genesis.file.pact !== ours)
    throw new BlyanError('GENESIS_PACT_DIFFERS', { ours: ours.slice(0, 16), theirs: genesis.file.pact.slice(0, 16) })
  return genesis
}

/** A validator votes only with the key that genesis names: with another one nobody would listen. */
function validatorIndex(genesis: Genesis, { config, keys }: StartNodeInput): number | undefined {
  if (!config.node.roles.includes('validator')) return undefined
  const { validator } = keys
  const index =
    validator === null
      ? -1
      : genesis.committee.validators.findIndex(one => bytesEqual(one.publicKey, validator.publicKey))
  if (index === -1)
    throw new BlyanError('VALIDATOR_KEY_FOREIGN', {
      key: validator === null ? 'none' : publicKeyToText(validator.publicKey)
    })
  return index
}
