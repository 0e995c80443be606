import type { Command } from 'commander'
import { BlyanError } from '../../errors/index.ts'
import type { SubmittedEvent, ValidatorChange, ValidatorsView } from '../../node/index.ts'
import { type CommandContext, type RegisterCommand, wholeNumber } from '../context.ts'
import { fields, printable, table } from '../output.ts'
import { type RotationOptions, rotateValidatorKey } from '../validator-rotation.ts'

export const register: RegisterCommand = (command, context) => {
  command
    .command('list')
    .summary('validators of this epoch, candidates, and what changes with the next')
    .action(async () => {
      const { output, daemon } = context()
      const view = await (await daemon()).json<ValidatorsView>({ path: '/v0/validators' })
      await output.answer(view, () => viewText(view))
    })
  registerChange(command, context, {
    name: 'join',
    summary: 'ask to become a validator, with the validator key of this node',
    add: one =>
      one
        .option('--name <name>', 'a name others see; node.name unless given')
        .option('--origin <origin>', 'who runs it; node.origin unless given')
        .option('--region <region>', 'where it runs; node.region unless given'),
    changeOf: ({ name, origin, region }) => ({ change: 'join', name, origin, region })
  })
  registerChange(command, context, {
    name: 'approve',
    argument: 'key',
    summary: 'approve a candidate',
    changeOf: (_options, key) => ({ change: 'approve', validator: key })
  })
  registerChange(command, context, {
    name: 'remove',
    argument: 'key',
    summary: 'approve that a validator is removed',
    changeOf: (_options, key) => ({ change: 'remove', validator: key })
  })
  registerChange(command, context, {
    name: 'leave',
    summary: 'leave with the next set, or give up as a candidate',
    changeOf: () => ({ change: 'leave' })
  })
  registerChange(command, context, {
    name: 'withdraw',
    summary: 'take back what this validator approved or asked for: approve, remove, leave or rotate',
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
}

type ChangeCommand = {
  readonly name: string
  readonly summary: string
  readonly argument?: 'key' | 'what'
  readonly add?: (command: Command) => Command
  readonly changeOf: (options: ChangeOptions, argument: string) => ValidatorChange
}

function registerChange(
  command: Command,
  context: () => CommandContext,
  { name, summary, argument, add = one => one, changeOf }: ChangeCommand
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
    await output.answer(event, () => submittedText(event))
  }
  if (argument === undefined) made.action((options: ChangeOptions) => run(options, ''))
  else made.argument(`<${argument}>`).action((text: string, options: ChangeOptions) => run(options, text))
}

export async function submitChange(
  daemon: Awaited<ReturnType<CommandContext['daemon']>>,
  body: ValidatorChange,
  { wait, timeout }: { readonly wait: boolean; readonly timeout: number }
): Promise<SubmittedEvent> {
  return daemon.json<SubmittedEvent>({
    method: 'POST',
    path: '/v0/validators/changes',
    query: { wait, timeoutMs: timeout * 1000 },
    body,
    timeoutMs: timeout * 1000 + 10_000
  })
}

function withdrawable(text: string): 'approve' | 'remove' | 'leave' | 'rotate' {
  if (text === 'approve' || text === 'remove' || text === 'leave' || text === 'rotate') return text
  throw new BlyanError('USAGE', {
    reason: `"${text.slice(0, 40)}" cannot be withdrawn`,
    hint: 'use one of: approve, remove, leave, rotate'
  })
}

function submittedText(event: SubmittedEvent): string {
  return fields([
    ['event', event.eventId],
    ['finality', event.finality],
    ['sequence', event.sequence],
    ['takes effect', 'with the next set: see "blyan-node validator list"']
  ])
}

async function viewText(view: ValidatorsView): Promise<string> {
  const members = view.members.map(member => [
    printable(member.name),
    member.key,
    printable(member.origin),
    printable(member.region),
    member.weight,
    [
      ...(member.leaves ? ['leaves'] : []),
      ...(member.newKey === null ? [] : [`new key ${member.newKey}`]),
      ...(member.removal.length === 0 ? [] : [`removal: ${member.removal.map(printable).join(', ')}`])
    ].join('; ')
  ])
  const candidates = view.candidates.map(candidate => [
    printable(candidate.name),
    candidate.key,
    printable(candidate.origin),
    printable(candidate.region),
    candidate.isApproved ? 'joins' : 'candidate',
    `approved: ${candidate.approvals.map(printable).join(', ') || 'nobody'}`
  ])
  const closing = view.closesAt === null ? null : `commit ${view.closesAt}`
  return [
    await table(['name', 'key', 'origin', 'region', 'weight', 'change'], [...members, ...candidates]),
    fields([
      ['epoch', `${view.epoch}, since ${view.since}; ${view.quorumWeight} of ${totalOf(view)} make a quorum`],
      ['ends with', closing],
      ['next set', view.next === null ? null : view.next.map(printable).join(', ')]
    ])
  ].join('\n\n')
}

function totalOf(view: ValidatorsView): number {
  return view.members.reduce((sum, member) => sum + member.weight, 0)
}
