import { randomUUID } from 'node:crypto'
import type { Chains, HandlerRegistry } from '../../dag/index.ts'
import type { Network } from '../../net/index.ts'
import type { Config } from '../config-schema.ts'
import type { EventService } from '../event-service.ts'
import type { Logger } from '../logging.ts'
import { createTabLedger } from './tab-ledger.ts'
import { createTabService, type TabService } from './tab-service.ts'

/** The tabs of a running node: looked after now and then until it stops. */
export interface NodeTabs extends TabService {
  start(): void
  /** Settles what is open, as far as that is quick; before events stop. */
  stop(): Promise<void>
}

export type NodeTabsNeeds = {
  readonly chains: Pick<Chains, 'state'>
  readonly handlers: HandlerRegistry
  readonly events: Pick<EventService, 'submit'>
  readonly network: Pick<Network, 'serve' | 'request'>
  readonly account: string
  readonly settings: Pick<Config['experts'], 'priceUnits' | 'tabUnits'>
  readonly logger: Logger
}

const turnEveryMs = 5000
const sessionLetters = 12

/** Before the network starts. Only where genesis has an economy: without one there are no coins. */
export function createNodeTabs(needs: NodeTabsNeeds): NodeTabs {
  const { settings, network, account, logger } = needs
  const stopping = new AbortController()
  const service = createTabService({
    network,
    account,
    ledger: createTabLedger({ ...needs, signal: stopping.signal }),
    priceUnitsPer1000Rows: BigInt(settings.priceUnits),
    tabUnits: BigInt(settings.tabUnits),
    session: randomUUID().slice(-sessionLetters),
    nowMs: Date.now,
    logger
  })
  let timer: NodeJS.Timeout | undefined
  let turning: Promise<void> = Promise.resolve()
  const turn = async (): Promise<void> => {
    await service.turn().catch(error => logger.debug({ error }, 'tabs could not be looked after'))
    if (!stopping.signal.aborted) timer = setTimeout(begin, turnEveryMs)
  }
  const begin = (): void => {
    turning = turn()
  }
  return {
    noteAnswer: report => service.noteAnswer(report),
    mayServe: peerId => service.mayServe(peerId),
    onServed: (peerId, work) => service.onServed(peerId, work),
    turn: () => service.turn(),
    close: () => service.close(),
    view: () => service.view(),
    start: begin,
    async stop() {
      clearTimeout(timer)
      await service.close()
      stopping.abort()
      clearTimeout(timer)
      await turning
      clearTimeout(timer)
    }
  }
}
