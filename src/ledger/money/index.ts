import type { Genesis } from '../../dag/index.ts'
import { eventKeyDue, forgetEventKey } from '../book/event-keys.ts'
import type { LedgerRule } from '../book/rule.ts'
import { holdDue, holdHandlers, holdIsDue } from '../holds/index.ts'
import { coinTransferHandler } from './coin-transfer.ts'

/** Coins between people: transfers and holds. */
export function moneyRule(genesis: Genesis): LedgerRule {
  return {
    name: 'money',
    handlers: [coinTransferHandler(genesis), ...holdHandlers(genesis)],
    due: { [eventKeyDue]: forgetEventKey, [holdDue]: holdIsDue }
  }
}
