import { BlyanError } from '../errors/index.ts'
import { parseCoins } from './amounts.ts'
import { readInput } from './context.ts'
import { parseDuration, parseParameter } from './parameter-text.ts'

const fileBytesMax = 64 * 1024

export type EmergencyOptions = {
  readonly duration?: string
  readonly operator?: readonly string[]
  readonly account?: readonly string[]
  readonly amount?: string
  readonly entry?: readonly string[]
}

/** `NAME=VALUE`, the value as `parameters` shows it. Throws USAGE. */
export function parameterChanges(texts: readonly string[]): { name: string; value: string }[] {
  return texts.map(text => {
    const [, name, value] = /^([A-Za-z]{1,64})=(.+)$/.exec(text) ?? []
    if (name === undefined || value === undefined)
      throw new BlyanError('USAGE', {
        reason: `"${text.slice(0, 60)}" is not NAME=VALUE`,
        hint: 'write it like unbondingMs=21d'
      })
    return { name, value: parseParameter(name, value) }
  })
}

/** What an emergency does, with what that action needs. Throws USAGE for what it needs and has not. */
export function emergencyAction(name: string, options: EmergencyOptions): Record<string, unknown> {
  const need = <T>(value: T | undefined, flag: string): T => {
    if (value !== undefined) return value
    throw new BlyanError('USAGE', {
      reason: `${name} needs ${flag}`,
      hint: 'see "blyan-node proposal new emergency --help"'
    })
  }
  if (name === 'rollback') return { name, entries: need(options.entry, '--entry').map(compensation) }
  if (name === 'update_validator_set') return { name, operators: need(options.operator, '--operator') }
  if (name === 'freeze_accounts') return { name, accounts: need(options.account, '--account') }
  if (name === 'adjust_rewards')
    return { name, rewardBaseUnits: parseCoins(need(options.amount, '--amount')).toString() }
  if (name === 'emergency_mint') return { name, amount: parseCoins(need(options.amount, '--amount')).toString() }
  return { name }
}

export function emergencyDurationMs({ duration }: EmergencyOptions): number {
  return duration === undefined ? 0 : parseDuration(duration)
}

/** A proposal as JSON: `kind`, `title`, `text` and what belongs to its kind, amounts in base units. Throws USAGE. */
export async function readProposalFile(file: string): Promise<unknown> {
  const bytes = await readInput(file, 'the proposal', fileBytesMax)
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch {
    throw new BlyanError('USAGE', { reason: `${file} is not JSON`, hint: 'see "Votes" in docs/protocol.md' })
  }
}

/** `FROM:TO:AMOUNT:COIN`. */
function compensation(text: string): Record<string, string> {
  const [from, to, amount, coin = 'BLY', ...rest] = text.split(':')
  if (from === undefined || to === undefined || amount === undefined || rest.length > 0)
    throw new BlyanError('USAGE', {
      reason: `"${text.slice(0, 60)}" is not FROM:TO:AMOUNT:COIN`,
      hint: 'write it like z6Mk...:@treasury:12.5:BLY'
    })
  return { from, to, coin, amount: parseCoins(amount).toString() }
}
