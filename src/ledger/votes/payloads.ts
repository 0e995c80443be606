import { z } from 'zod'
import { systemAccounts } from '../book/book.ts'
import { positiveAmount } from '../book/coins.ts'
import { accountText, coinText } from '../book/fields.ts'
import { emergencies, voteLimits } from './rules.ts'
import { votes } from './tally.ts'

const wholeAmount = z.string().regex(/^(0|[1-9][0-9]{0,26})$/, 'not a whole number')
const pools = [systemAccounts.treasury, systemAccounts.validationPool, systemAccounts.rewardPool] as const
/** What a compensating entry may touch: people and the pools that are nobody's; never stake, escrow or what is not issued. */
const compensated = z.union([z.enum(pools), accountText])
const distinct = (names: readonly string[]): boolean => new Set(names).size === names.length
const accountsOf = (most: number) => z.array(accountText).min(1).max(most).refine(distinct, 'the same account twice')

const asked = {
  title: z.string().trim().min(1).max(voteLimits.titleMax),
  text: z.string().max(voteLimits.textMax).default('')
}

export const emergencyAction = z.discriminatedUnion('name', [
  z.strictObject({ name: z.literal('pause_network') }),
  z.strictObject({
    name: z.literal('rollback'),
    entries: z
      .array(z.strictObject({ from: compensated, to: compensated, coin: coinText, amount: positiveAmount }))
      .min(1)
      .max(voteLimits.entriesMax)
  }),
  z.strictObject({ name: z.literal('update_validator_set'), operators: accountsOf(voteLimits.operatorsMax) }),
  z.strictObject({ name: z.literal('reset_consensus') }),
  z.strictObject({ name: z.literal('emergency_checkpoint') }),
  z.strictObject({ name: z.literal('freeze_accounts'), accounts: accountsOf(voteLimits.accountsMax) }),
  z.strictObject({ name: z.literal('adjust_rewards'), rewardBaseUnits: wholeAmount }),
  z.strictObject({ name: z.literal('emergency_mint'), amount: positiveAmount })
])
export type EmergencyAction = z.output<typeof emergencyAction>

/** `proposal-new`. Amounts are base units, as decimal strings. */
export const proposalSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('parameters'),
    ...asked,
    changes: z
      .array(z.strictObject({ name: z.string().max(64), value: wholeAmount }))
      .min(1)
      .max(voteLimits.changesMax)
      .refine(changes => distinct(changes.map(({ name }) => name)), 'the same parameter twice')
  }),
  z.strictObject({ kind: z.literal('payment'), ...asked, to: accountText, coin: coinText, amount: positiveAmount }),
  z.strictObject({ kind: z.literal('text'), ...asked }),
  z.strictObject({ kind: z.literal('appeal'), ...asked, punishment: z.string().min(1).max(128) }),
  z.strictObject({
    kind: z.literal('emergency'),
    ...asked,
    emergency: z.enum(Object.keys(emergencies) as [keyof typeof emergencies]),
    action: emergencyAction,
    /** Of an action that lasts; 0 for one that is done once. */
    durationMs: z.int().min(0)
  })
])
export type ProposalPayload = z.output<typeof proposalSchema>
export type ParameterChange = Extract<ProposalPayload, { kind: 'parameters' }>['changes'][number]

const proposal = z.int().min(1)
/** `proposal-vote`. */
export const voteSchema = z.strictObject({ proposal, vote: z.enum(votes) })
/** `proposal-withdraw`. */
export const withdrawSchema = z.strictObject({ proposal })
