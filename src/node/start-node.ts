import { join } from 'node:path'
import { createSignaturePool, publicKeyToText } from '../codec/index.ts'
import { createQuorum, createStateSync, createVertexStore } from '../consensus/index.ts'
import { type Chains, type Genesis, openChains, pendingChanges, readCandidate, setAfter } from '../dag/index.ts'
import { BlyanError } from '../errors/index.ts'
import { operatorOf } from '../ledger/index.ts'
import { createNetwork } from '../net/index.ts'
import { createIpfs, openDatabase, openReferenceBlockstore } from '../storage/index.ts'
import { createTensorStore } from '../tiles/index.ts'
import { chainBlockSource } from './block-source.ts'
import type { BlyanNode } from './blyan-node.ts'
import { createContinuityService } from './continuity-service.ts'
import { createHandlers } from './event-handlers.ts'
import { createEventService } from './event-service.ts'
import { createEvidenceService } from './evidence-service.ts'
import { createExpertRooms } from './experts/expert-rooms.ts'
import { createGiftedService } from './gifted-service.ts'
import { learningOff } from './learning/learning-off.ts'
import { createLearningService } from './learning/learning-service.ts'
import { createMetrics } from './metrics.ts'
import { createModelImporter } from './models/model-import.ts'
import { readGenesis } from './read-genesis.ts'
import { RunningNode } from './running-node.ts'
import type { StartNodeInput } from './start-input.ts'
import { createNodeTabs } from './tabs/node-tabs.ts'
import { upkeepJobs } from './upkeep.ts'
import { OwnValidatorKeys } from './validator-keys.ts'
import { createValidatorService } from './validator-service.ts'

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
    const handlers = createHandlers(genesis)

    const database = await openDatabase(paths.databaseFolder)
    closers.push(() => database.close())
    const blockstore = await openReferenceBlockstore({
      blocksFolder: paths.blocksFolder,
      tensorsFolder: paths.tensorsFolder
    })
    closers.push(() => blockstore.close())
    const store = createVertexStore(database)
    const signatures = createSignaturePool()
    closers.push(() => signatures.close())
    const chains = await openChains({
      genesis,
      handlers,
      database,
      vertices: store,
      signatures,
      snapshots: {
        folder: paths.snapshotsFolder,
        everyCommits: config.storage.snapshotEveryCommits,
        logger: logger.component('storage')
      }
    })
    closers.push(() => chains.snapshots.close())
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
    const stateSync = createStateSync({ network, keeper: chains.snapshots, logger: logger.component('storage') })
    const ownKeys = new OwnValidatorKeys(paths, keys.validators)
    closers.push(async () => ownKeys.close())
    requireKnownKey(chains, genesis, ownKeys, input)
    const quorum = createQuorum({
      genesisDigest: genesis.digest,
      genesisTimeMs: genesis.timeMs,
      parameters: { ...genesis.parameters, stateSyncCommits: config.storage.stateSyncCommits },
      selfOf: committee => ownKeys.selfOf(committee),
      network,
      database,
      execution: chains,
      snapshots: stateSync,
      logger: logger.component('quorum'),
      onEquivocation: (first, second) => evidence.onEquivocation(first, second),
      onInvalidVertex: (vertex, reason) => evidence.onInvalidVertex(vertex, reason),
      onFatal: fatal
    })
    const events = createEventService({
      genesis,
      handlers,
      chains,
      quorum,
      network,
      account: keys.account,
      region: config.node.region,
      origin: config.node.origin
    })
    const evidence = createEvidenceService({
      genesis,
      chains,
      events,
      self: () => quorum.self,
      logger: logger.component('quorum')
    })
    closers.push(async () => evidence.stop())
    const validators = createValidatorService({
      genesis,
      handlers,
      chains,
      events,
      keys: ownKeys,
      openKey: input.openKey,
      account: publicKeyToText(keys.account.publicKey),
      nodeKey: keys.node,
      peerId: network.peerId,
      name: config.node.name,
      origin: config.node.origin,
      region: config.node.region
    })
    const tabs =
      genesis.file.economy === undefined
        ? undefined
        : createNodeTabs({
            chains,
            handlers,
            events,
            network,
            account: publicKeyToText(keys.account.publicKey),
            settings: config.experts,
            logger: logger.component('experts')
          })
    const expertRooms = createExpertRooms({
      input,
      genesis,
      chains,
      network,
      nodeKey: keys.node,
      events,
      account: keys.account.publicKey,
      tabs
    })
    await quorum.start()
    closers.push(() => quorum.stop())
    await network.start()
    closers.push(() => network.stop())
    closers.push(async () => stateSync.stop())
    for (const job of upkeepJobs({ genesis, database, store, chains, network, config, logger })) {
      job.start()
      closers.push(() => job.stop())
    }

    const ipfs = await createIpfs({ libp2p: network.libp2p, blockstore })
    await ipfs.start()
    closers.push(() => ipfs.stop())
    const tensors = await createTensorStore({ blockstore, fetchBlock: (cid, options) => ipfs.fetchBlock(cid, options) })
    closers.push(() => tensors.close())
    closers.push(() => expertRooms.stop())
    const experts = await expertRooms.open(tensors)
    events.start()
    const imports = createModelImporter({
      chains,
      tensors,
      events,
      handlers,
      account: publicKeyToText(keys.account.publicKey),
      folder: join(paths.root, 'imports'),
      requireFreeBytes: bytes => input.dataFolder.requireFreeBytes(config.storage.minimumFreeBytes + bytes)
    })
    const metrics = createMetrics()
    tabs?.start()
    events.onFinalityMs(elapsedMs => metrics.observeFinality(elapsedMs))
    const learning =
      genesis.file.economy === undefined
        ? undefined
        : createLearningService({
            genesis,
            handlers,
            chains,
            events,
            tensors,
            host: experts.host,
            catalogue: experts.catalogue,
            tokenizerOf: model => experts.answers.tokenizerOf(model),
            isMapped: experts.isMapped,
            account: publicKeyToText(keys.account.publicKey),
            region: config.node.region,
            settings: config.learning,
            folder: paths.root,
            isCaughtUp: () => node.notReadyReasons().length === 0,
            logger: logger.component('learning')
          })
    const node: RunningNode = new RunningNode(
      {
        input,
        genesis,
        handlers,
        network,
        chains,
        quorum,
        tensors,
        events,
        experts,
        imports,
        learning: learning ?? learningOff('it has no coins to pay learners with'),
        metrics,
        stateSync,
        validators,
        get validator() {
          return quorum.self
        }
      },
      async () => {
        await learning?.end()
        await tabs?.stop()
        events.stop()
        await closeAll(closers)
      }
    )
    learning?.begin()
    if (genesis.file.economy !== undefined) {
      const continuity = createContinuityService({
        genesis,
        handlers,
        chains,
        events,
        quorum,
        network,
        account: keys.account,
        isCaughtUp: () => node.notReadyReasons().length === 0,
        logger: logger.component('continuity')
      })
      continuity.start()
      closers.push(async () => continuity.stop())
    }
    if (config.node.roles.includes('gifted') && genesis.file.economy !== undefined) {
      const gifted = createGiftedService({
        genesis,
        handlers,
        chains,
        events,
        network,
        keys,
        settings: config.gifted,
        name: config.node.name,
        folder: paths.root,
        isCaughtUp: () => node.notReadyReasons().length === 0,
        logger: logger.component('gifted')
      })
      gifted.start()
      closers.push(() => gifted.stop())
    }
    return node
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

/**
 * A key that no set knows is a mistake in most cases: nobody would listen. It is meant when it asks to be let in, is to
 * take the place of another, or has been a validator before; its node follows until it is in the set.
 */
function requireKnownKey(chains: Chains, genesis: Genesis, keys: OwnValidatorKeys, input: StartNodeInput): void {
  if (!input.config.node.roles.includes('validator') || keys.memberIn(chains.epoch.committee) !== undefined) return
  const texts = keys.all.map(({ key }) => publicKeyToText(key.publicKey))
  const isAwaited =
    texts.some(key => readCandidate(chains.state, key) !== undefined || operatorOf(chains.state, key) !== undefined) ||
    setAfter(chains.state, genesis, pendingChanges(chains.state)).some(member =>
      texts.includes(publicKeyToText(member.publicKey))
    )
  if (!isAwaited && !keys.hasSigned && input.isCandidate !== true)
    throw new BlyanError('VALIDATOR_KEY_FOREIGN', { key: keys.texts() })
  input.logger
    .component('quorum')
    .warn(
      { keys: texts, epoch: chains.epoch.committee.epoch },
      'no validator key of this node is in the set of this epoch as far as it is known here: following until one is'
    )
}
