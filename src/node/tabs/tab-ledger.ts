import { setTimeout } from 'node:timers/promises'
import type { Chains, HandlerRegistry } from '../../dag/index.ts'
import { BlyanError } from '../../errors/index.ts'
import { type Hold, readHold } from '../../ledger/index.ts'
import type { EventService } from '../event-service.ts'

/** Holds of the ledger, as tabs need them: changed by this node's account, read from its own state. */
export interface TabLedger {
  hold(id: string): Hold | undefined
  /** Throws as EventService.submit, once the event is ordered; a refusal of the ledger too. */
  submit(type: string, json: unknown): Promise<void>
  /** The hold once it is as wanted. Throws TAB_REFUSED when that takes too long. */
  until(id: string, isWanted: (hold: Hold) => boolean): Promise<Hold>
}

export type TabLedgerNeeds = {
  readonly chains: Pick<Chains, 'state'>
  readonly handlers: Pick<HandlerRegistry, 'get'>
  readonly events: Pick<EventService, 'submit'>
  readonly signal: AbortSignal
}

const submitTimeoutMs = 20_000
const lookEveryMs = 200
const looksMax = 150

export function createTabLedger(needs: TabLedgerNeeds): TabLedger {
  const { chains, handlers, events, signal } = needs
  const hold = (id: string): Hold | undefined => readHold(chains.state, id)
  return {
    hold,
    submit: async (type, json) => {
      const payload = handlers.get(type).encodePayload(json)
      await events.submit({ type, payload }, { wait: true, timeoutMs: submitTimeoutMs, signal })
    },
    until: async (id, isWanted) => {
      // What another node has seen ordered may take a moment to be executed here.
      for (let look = 0; look < looksMax; look++) {
        const found = hold(id)
        if (found !== undefined && isWanted(found)) return found
        await setTimeout(lookEveryMs, undefined, { signal })
      }
      throw new BlyanError('TAB_REFUSED', { peer: id, reason: 'its hold is not on chain' })
    }
  }
}
