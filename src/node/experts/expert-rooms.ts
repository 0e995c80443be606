import type { SigningKey } from '../../codec/index.ts'
import type { Chains, Genesis } from '../../dag/index.ts'
import { BlyanError } from '../../errors/index.ts'
import type { CallExperts } from '../../experts/index.ts'
import type { Network } from '../../net/index.ts'
import type { ExpertCaller } from '../../routing/index.ts'
import type { TensorStore } from '../../tiles/index.ts'
import { createAnswerMeter } from '../answers/answer-meter.ts'
import { createAnswerQueue } from '../answers/answer-queue.ts'
import { createAnswering } from '../answers/answer-service.ts'
import type { AnswerService } from '../answers/answer-types.ts'
import { type ByteModel, createByteModel } from '../answers/byte-model.ts'
import { freeBytesOf } from '../data-folder.ts'
import type { EventService } from '../event-service.ts'
import { createModelCatalogue, type ModelCatalogue } from '../models/model-catalogue.ts'
import { createModelVersions } from '../models/model-version.ts'
import { createTokenizers } from '../models/tokenizers.ts'
import type { StartNodeInput } from '../start-input.ts'
import type { TabService } from '../tabs/tab-service.ts'
import { createEngineHost, type EngineHost } from './engine-host.ts'
import { createEngineUses } from './engine-uses.ts'
import { createExpertBook } from './expert-book.ts'
import { createExpertHome, type NamedExpertHome } from './expert-home.ts'
import { createExpertKeeper, defaultMemoryBytes, type ExpertKeeper } from './expert-keeper.ts'
import { createExpertOffers } from './expert-offers.ts'
import { createExpertPlaces } from './expert-places.ts'
import { readExpertsStatus } from './experts-status.ts'
import type { ExpertsStatus } from './experts-status-types.ts'
import { createGenesisTensors } from './genesis-tensors.ts'
import { holdSetting } from './hold-setting.ts'
import { createHolderService } from './holder-service.ts'
import type { IntegrityService } from './integrity-service.ts'
import { openKeptExperts } from './kept-experts.ts'
import { createModelEngine } from './model-engine.ts'
import { createTensorPresence } from './tensor-presence.ts'

/** All that answers questions in one node, wired: see docs/design.md, "How an answer is made". */
export interface ExpertRooms {
  /** Once the tensors of this machine can be read, after the network was started. */
  open(tensors: TensorStore): Promise<OpenExpertRooms>
  stop(): Promise<void>
}

export type OpenExpertRooms = {
  readonly host: Pick<EngineHost, 'device' | 'start'>
  /** Whether the engine answers from this tensor. */
  readonly isMapped: (tensor: string) => boolean
  readonly catalogue: ModelCatalogue
  readonly keeper: ExpertKeeper
  readonly caller: ExpertCaller
  readonly integrity: IntegrityService
  readonly answers: AnswerService
  readonly bytes: ByteModel
  status(): Promise<ExpertsStatus>
}

export type ExpertRoomsNeeds = {
  readonly input: StartNodeInput
  readonly genesis: Genesis
  readonly chains: Chains
  readonly network: Network
  readonly nodeKey: SigningKey
  readonly events: Pick<EventService, 'submit'>
  /** Who is paid for what this node computes for others. */
  readonly account: Uint8Array
  /** Pays holders and is paid; undefined where the network has no coins. */
  readonly tabs?: Pick<TabService, 'noteAnswer' | 'mayServe' | 'onServed'> | undefined
}

/** Speaks for its protocols from the start; what they need of the rest comes with `open`. */
export function createExpertRooms(needs: ExpertRoomsNeeds): ExpertRooms {
  const { input, chains, genesis, network } = needs
  const settings = input.config.experts
  const logger = input.logger.component('experts')
  const { root, tensorsFolder } = input.dataFolder.paths
  const nowMs = (): number => performance.now()
  const closers: (() => Promise<unknown> | unknown)[] = []
  let keeper: ExpertKeeper | undefined
  let home: NamedExpertHome | undefined

  const host = createEngineHost({ tensorFolder: tensorsFolder, settings, logger })
  const meter = createAnswerMeter(nowMs)
  const queue = createAnswerQueue(settings)
  const book = createExpertBook(nowMs)
  const setting = holdSetting(settings.hold)
  const offers = createExpertOffers({ network, offered: () => keeper?.hot() ?? [] })
  const calls = createHolderService({
    network,
    genesis,
    nodeKey: needs.nodeKey,
    events: needs.events,
    account: needs.account,
    settings,
    logger,
    tabs: needs.tabs
  })
  const { caller } = calls

  return {
    async open(tensors) {
      const genesisTensors = createGenesisTensors({ genesis, tensors })
      const presence = createTensorPresence(tensors, nowMs)
      const isHere = (tensor: string): boolean => presence.has(tensor)
      const catalogue = await createModelCatalogue({ genesis, chains, isHere })
      const callExperts: CallExperts = call => {
        book.noteCall(call, (layer, expert) => home?.nameOf(call.model, layer, expert))
        return meter.timeCall(call, () => caller.call(call))
      }
      const memoryBytesMax = settings.memoryBytesMax === 0 ? defaultMemoryBytes() : settings.memoryBytesMax
      const engine = createModelEngine({
        host,
        tensors,
        genesisTensors,
        memoryBytesMax,
        callExperts,
        onChange: () => presence.forget(),
        logger
      })
      home = createExpertHome({
        catalogue,
        engine,
        roomBytes: () => keeper!.roomBytes(),
        onFetched: parts => keeper!.noteFetched(parts)
      })
      const freeAtStartBytes = await freeBytesOf(root)
      keeper = createExpertKeeper({
        catalogue,
        tensors,
        engine,
        book,
        offers,
        kept: await openKeptExperts(root),
        setting,
        serves: settings.serve && settings.enabled,
        holdersOf: tensor => caller.holdersOf(tensor).length,
        engineUses: createEngineUses({ catalogue, host }),
        onMoved: () => presence.forget(),
        onChange: entry => void places.refresh(entry).catch(() => {}),
        diskBytesMax: () => (settings.diskBytesMax === 0 ? Math.floor(freeAtStartBytes / 2) : settings.diskBytesMax),
        nowMs,
        logger
      })
      const places = createExpertPlaces({
        engine,
        held: entry => keeper!.held(entry),
        roomBytes: () => keeper!.roomBytes(),
        onFetched: parts => keeper!.noteFetched(parts)
      })
      const tokenizers = createTokenizers(tensors)
      const versions = createModelVersions({ tensors, parts: () => chains.parts })
      const answering = createAnswering({
        catalogue,
        versions,
        engine,
        places,
        queue,
        meter,
        book,
        caller,
        nowMs,
        onAnswered: report => needs.tabs?.noteAnswer(report)
      })
      const bytes = createByteModel({ catalogue, versions, places, parts: () => chains.parts, host })
      closers.push(
        () => host.stop(),
        () => genesisTensors.stop(),
        () => catalogue.stop(),
        () => keeper!.stop()
      )
      calls.open({ host, catalogue, engine, keeper, home, tensors })
      closers.push(() => calls.stop())
      if (settings.enabled) keeper.start()
      return {
        host,
        isMapped: tensor => engine.hasTensor(tensor),
        catalogue,
        keeper,
        caller,
        integrity: calls.integrity,
        bytes,
        answers: {
          models: () => catalogue.list(),
          tokenizerOf: async model => tokenizers.of(catalogue.complete(model)),
          answer: async request => {
            if (!settings.enabled) throw new BlyanError('EXPERTS_DISABLED')
            return answering.answer(request)
          }
        },
        status: () => readExpertsStatus({ host, meter, queue, keeper: keeper!, caller, holder: calls.holder })
      }
    },
    async stop() {
      for (const close of closers.reverse()) await close()
    }
  }
}
