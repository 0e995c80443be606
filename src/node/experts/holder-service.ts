import { publicKeyToText, type SigningKey } from '../../codec/index.ts'
import type { Genesis } from '../../dag/index.ts'
import { BlyanError } from '../../errors/index.ts'
import type { Reputation } from '../../guardian/index.ts'
import type { Network } from '../../net/index.ts'
import {
  type CallAuditor,
  createExpertCaller,
  createExpertHolder,
  createHoldingsBook,
  type ExpertHolder,
  type ExpertHolderNeeds,
  type ExpertHome,
  type HolderCaller,
  type Recheck,
  type Recomputed
} from '../../routing/index.ts'
import type { TensorStore } from '../../tiles/index.ts'
import type { Config } from '../config-schema.ts'
import type { EventService } from '../event-service.ts'
import type { Logger } from '../logging.ts'
import type { ModelCatalogue } from '../models/model-catalogue.ts'
import type { EngineHost } from './engine-host.ts'
import type { ExpertKeeper } from './expert-keeper.ts'
import { createIntegrityService, type IntegrityService } from './integrity-service.ts'
import type { ModelEngine } from './model-engine.ts'

export type HolderServiceNeeds = {
  readonly network: Network
  readonly genesis: Genesis
  readonly nodeKey: SigningKey
  /** Who is paid for what this node computes. */
  readonly account: Uint8Array
  readonly settings: Config['experts']
  readonly logger: Logger
  /** Pays who computes, where the network has coins. */
  readonly tabs?: Pick<ExpertHolderNeeds, 'mayServe' | 'onServed'> | undefined
  /** Takes evidence against who answers with other weights than it says. */
  readonly events: Pick<EventService, 'submit'>
}

/** What it needs of the rest of the node, once that is there. */
export type HolderServiceRest = {
  readonly host: Pick<EngineHost, 'device' | 'start'>
  readonly catalogue: Pick<ModelCatalogue, 'findTensor'>
  readonly engine: Pick<ModelEngine, 'load'>
  readonly keeper: Pick<ExpertKeeper, 'served' | 'servedBy' | 'roomBytes' | 'noteFetched'>
  readonly home: ExpertHome
  readonly tensors: Pick<TensorStore, 'info' | 'verify' | 'fetchTensor' | 'prove'>
}

/** This node among those that compute for each other: answers their calls, and makes ours. */
export interface HolderService {
  readonly caller: HolderCaller
  readonly holder: ExpertHolder
  readonly reputation: Reputation
  readonly auditor: CallAuditor
  readonly integrity: IntegrityService
  open(rest: HolderServiceRest): void
  stop(): Promise<void>
}

/** Must be created before the network starts; until `open` it holds nothing and can bring nothing home. */
export function createHolderService(needs: HolderServiceNeeds): HolderService {
  const { network, genesis, nodeKey, settings, logger } = needs
  let rest: HolderServiceRest | undefined
  const serves = settings.serve && settings.enabled
  const integrity = createIntegrityService({ genesis, network, nodeKey, events: needs.events, logger })
  const { reputation, auditor } = integrity

  const holdings = createHoldingsBook({
    network,
    logger,
    own: () => ({
      account: publicKeyToText(needs.account),
      priceUnitsPer1000Rows: BigInt(settings.priceUnits),
      score: rest?.host.device.score ?? 0,
      openCalls: holder.openCalls,
      tensors: serves ? (rest?.keeper.served() ?? []).map(({ part }) => part.tensor).sort() : []
    })
  })
  const arithmeticOf = (weights: string): Recomputed['arithmetic'] => {
    const architecture = rest?.catalogue.findTensor(weights)?.entry.architecture
    const isInt8 = architecture?.family === 'blyan-moe/2' && architecture.precision === 'int8'
    return isInt8 && rest?.host.device.provider === 'cpu' ? 'integer' : 'float'
  }
  const holder = createExpertHolder({
    ...needs.tabs,
    network,
    logger,
    expertOf: tensor => {
      const found = serves ? rest?.keeper.servedBy(tensor) : undefined
      if (found === undefined) return undefined
      return { model: found.entry.name, name: found.part.part, width: found.entry.architecture.width }
    },
    runExperts: async request => (await opened(rest).host.start()).runExperts(request),
    committerFor: gateway => integrity.committerFor(gateway)
  })
  const recompute = async (recheck: Recheck, signal: AbortSignal): Promise<Recomputed | undefined> => {
    const { catalogue, engine } = opened(rest)
    const found = catalogue.findTensor(recheck.weights)
    if (found === undefined || !found.part.isHere) return undefined
    const { entry, part } = found
    const mapped = await engine.load(entry, { trunk: false, experts: new Set([part.part]) }, { signal })
    const loads = [{ name: part.part, rows: recheck.input }]
    const [output] = await mapped.runExperts({ model: entry.name, loads, priority: 'background', signal })
    return output === undefined ? undefined : { output, arithmetic: arithmeticOf(recheck.weights) }
  }
  const caller: HolderCaller = createExpertCaller({
    network,
    holdings,
    reputation,
    auditor,
    logger,
    home: {
      resolve: (model, layer, expert) => rest?.home.resolve(model, layer, expert),
      computeAtHome: request => opened(rest).home.computeAtHome(request)
    }
  })
  return {
    caller,
    holder,
    reputation,
    auditor,
    integrity,
    open: given => {
      rest = given
      integrity.open({
        tensors: given.tensors,
        catalogue: given.catalogue,
        arithmetic: arithmeticOf,
        recompute,
        ask: (recheck, whom, signal) => caller.ask(recheck, whom, signal),
        roomBytes: () => given.keeper.roomBytes(),
        onFetched: parts => given.keeper.noteFetched(parts)
      })
    },
    async stop() {
      caller.stop()
      holder.stop()
      holdings.stop()
      await integrity.stop()
    }
  }
}

function opened(rest: HolderServiceRest | undefined): HolderServiceRest {
  if (rest === undefined) throw new BlyanError('ENGINE_STOPPED')
  return rest
}
