/**
 * gifted: nodes that people give to the network, what they are paid for it, what their services cost, and how the treasury
 * grows the network.
 */
import type { Genesis } from '../../dag/index.ts'
import type { LedgerRule } from '../book/rule.ts'
import { giftedHandlers } from './events.ts'
import { countLoad, grantDue, grantIsDue, scale } from './growth.ts'
import { payGifted } from './incentives.ts'
import { giftedDue, giftedIsDue } from './liveness.ts'

export { type Gift, giftConsent, giftSigningBytes } from './consent.ts'
export { openOffer, type ScalingPeriod, type StoredDecision, scalingPeriod } from './growth.ts'
export { aurumValue, type Impacts, valueOfGift } from './impacts.ts'
export { type GiftedPayment, type GiftingPeriod, giftedPayment, giftingPeriod } from './incentives.ts'
export { noteGiftedObserved } from './liveness.ts'
export { isMetered, type Metered, type MeteredKind, type MeterQuote, quoteOf, tariffs } from './meter.ts'
export {
  type GiftedNode,
  type GifterKind,
  giftedNodes,
  gifterKinds,
  type MeterCoin,
  meterCoins,
  type Resources,
  readGifted,
  type Specialisation,
  specialisationCapacities,
  specialisations
} from './node.ts'
export { decideScaling, growthNames, type ScalingInput } from './scaling.ts'

/** Gifted nodes, the billing meter and the treasury. */
export function giftedRule(genesis: Genesis): LedgerRule {
  return {
    name: 'gifted',
    handlers: giftedHandlers(genesis),
    afterCommit: ({ state }, seen) => countLoad(state, seen),
    due: { [giftedDue]: giftedIsDue, [grantDue]: grantIsDue },
    settle: (input, period) => {
      // Before the counts of the nodes begin anew: what they served is what the decision is made of.
      scale(input, period)
      payGifted(input, period)
    }
  }
}
