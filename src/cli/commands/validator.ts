import type { Command } from 'commander'
import { BlyanError } from '../../errors/index.ts'
import type { SubmittedEvent, ValidatorChange, ValidatorsView } from '../../node/index.ts'
import { type CommandContext, type RegisterCommand, wholeNumber } from '../context.ts'
import { asRefusal } from '../ledger-event.ts'
import { fields } from '../output.ts'
import { fetchOperator } from '../stake-requests.ts'
import { type RotationOptions, rotateValidatorKey } from '../validator-rotation.ts'
import { operatorText, validatorsText } from '../validators-text.ts'

export const register: RegisterCommand = (command, context) => {
  command
    .command('list')
    .summary('validators of this epoch, candidates, and what changes with the next')
    .action(async () => {
      const { output, daemon } = context()
      const view = await (await daemon()).json<ValidatorsView>({ path: '/v0/validators' })
      await output.answer(view, () => validatorsText(view))
    })
  command
    .command('show')
    .summary('one validator: who answers for it, its stake, commission and state')
    .argument('[name|account|key]', "this node's own unless given")
    .action(async (wanted: string | undefined) => {
      const view = await fetchOperator(context(), wanted)
      await context().output.answer(view, () => operatorText(view))
    })
  registerChange(command, context, {
    name: 'join',
    summary: 'ask to become a validator, with the validator key of this node',
    add: one =>
      one
        .option('--name <name>', 'a name others see; node.name unless given')
        .option('--origin <origin>', 'who runs it; node.origin unless given')
        .option('--region <region>', 'where it runs; node.region unless given')
        .option('--commission <percent>', 'share of earnings that the operator keeps, such as 5 or 2.5', commissionOf)
        .option('--website <address>', 'where to read more'),
    changeOf: ({ name, origin, region, commission, website }) => ({
      change: 'join',
      name,
      origin,
      region,
      commissionBasisPoints: commission,
      website
    }),
    next: 'it is in a set once its operator has staked enough: "blyan-node stake AMOUNT", then "blyan-node validator list"'
  })
  registerChange(command, context, {
    name: 'edit',
    summary: 'change what your validator says of itself, and its commission',
    add: one =>
      one
        .option('--name <name>', 'a name others see')
        .option('--origin <origin>', 'who runs it')
        .option('--region <region>', 'where it runs')
        .option('--commission <percent>', 'rises once a day and by little; falls at any time', commissionOf)
        .option('--website <address>', 'where to read more; "" for none'),
    changeOf: ({ name = null, origin = null, region = null, commission = null, website = null }) => ({
      change: 'edit',
      name,
      origin,
      region,
      commissionBasisPoints: commission,
      website
    }),
    next: 'a new commission counts from now on; names are in the set with the end of the period'
  })
  registerChange(command, context, {
    name: 'unjail',
    summary: 'let your validator back in when its jail is over',
    changeOf: () => ({ change: 'unjail' })
  })
  registerChange(command, context, {
    name: 'approve',
    argument: 'key',
    summary: 'approve a candidate, in a network without stake',
    changeOf: (_options, key) => ({ change: 'approve', validator: key })
  })
  registerChange(command, context, {
    name: 'remove',
    argument: 'key',
    summary: 'approve that a validator is removed, in a network without stake',
    changeOf: (_options, key) => ({ change: 'remove', validator: key })
  })
  registerChange(command, context, {
    name: 'leave',
    summary: 'leave with the next set, or give up as a candidate',
    changeOf: () => ({ change: 'leave' }),
    next: 'it signs until the next set begins; stake stays until it is taken out with "blyan-node unstake"'
  })
  registerChange(command, context, {
    name: 'withdraw',
    summary: 'take back an approve, remove, leave or rotate, in a network without stake',
    argument: 'what',
    add: one => one.option('--key <key>', 'of the candidate or validator that was approved or to be removed'),
    changeOf: ({ key }, what) => ({ change: 'withdraw', what: withdrawable(what), validator: key })
  })
  command
    .command('rotate')
    .summary('make a new validator key that takes the place of this one with the next set')
    .option('--no-wait', 'return once the change is final, before it takes effect')
    .option('--timeout <seconds>', 'longest wait for it to take effect', wholeNumber(1, 3600), 300)
    .action((options: RotationOptions) => rotateValidatorKey(context(), options))
}

type ChangeOptions = {
  wait: boolean
  timeout: number
  name?: string
  origin?: string
  region?: string
  key?: string
  commission?: number
  website?: string
}

type ChangeCommand = {
  readonly name: string
  readonly summary: string
  readonly argument?: 'key' | 'what'
  readonly add?: (command: Command) => Command
  readonly changeOf: (options: ChangeOptions, argument: string) => ValidatorChange
  /** What comes next, where stake decides. */
  readonly next?: string
}

function registerChange(
  command: Command,
  context: () => CommandContext,
  { name, summary, argument, add = one => one, changeOf, next }: ChangeCommand
): void {
  const made = add(
    command
      .command(name)
      .summary(summary)
      .option('--no-wait', 'return as soon as the node has accepted it')
      .option('--timeout <seconds>', 'longest wait until it is final', wholeNumber(1, 600), 30)
  )
  const run = async (options: ChangeOptions, text: string): Promise<void> => {
    const { output, daemon } = context()
    const event = await submitChange(await daemon(), changeOf(options, text), options)
    const view = await (await daemon()).json<ValidatorsView>({ path: '/v0/validators' })
    await output.answer(event, () => submittedText(event, view.stakeRules === null ? undefined : next))
  }
  if (argument === undefined) made.action((options: ChangeOptions) => run(options, ''))
  else made.argument(`<${argument}>`).action((text: string, options: ChangeOptions) => run(options, text))
}

async function submitChange(
  daemon: Awaited<ReturnType<CommandContext['daemon']>>,
  body: ValidatorChange,
  { wait, timeout }: { readonly wait: boolean; readonly timeout: number }
): Promise<SubmittedEvent> {
  const request = {
    method: 'POST' as const,
    path: '/v0/validators/changes',
    query: { wait, timeoutMs: timeout * 1000 },
    body,
    timeoutMs: timeout * 1000 + 10_000
  }
  return daemon.json<SubmittedEvent>(request).catch(error => {
    throw asRefusal(error)
  })
}

function withdrawable(text: string): 'approve' | 'remove' | 'leave' | 'rotate' {
  if (text === 'approve' || text === 'remove' || text === 'leave' || text === 'rotate') return text
  throw new BlyanError('USAGE', {
    reason: `"${text.slice(0, 40)}" cannot be withdrawn`,
    hint: 'use one of: approve, remove, leave, rotate'
  })
}

/** Basis points of a percentage with up to two decimals. */
function commissionOf(text: string): number {
  const [, whole, fraction = ''] = /^(\d{1,3})(?:\.(\d{1,2}))?$/.exec(text) ?? []
  const basisPoints = Number(whole) * 100 + Number(fraction.padEnd(2, '0'))
  if (whole !== undefined && basisPoints <= 10_000) return basisPoints
  throw new BlyanError('USAGE', {
    reason: `"${text.slice(0, 40)}" is not a percentage from 0 to 100 with up to two decimals`,
    hint: 'correct that value, for example to 5 or 2.5'
  })
}

function submittedText(event: SubmittedEvent, next: string | undefined): string {
  return fields([
    ['event', event.eventId],
    ['finality', event.finality],
    ['sequence', event.sequence],
    ['next', next ?? 'it takes effect with the next set: see "blyan-node validator list"']
  ])
}
