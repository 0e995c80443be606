import type { Command } from 'commander'
import { type ErrorCode, errorTable } from '../errors/index.ts'
import type { SubmittedEvent } from '../node/index.ts'
import { type CommandContext, wholeNumber } from './context.ts'
import { DaemonError } from './daemon-client.ts'
import { fields } from './output.ts'

export type LedgerEventOptions = { readonly wait: boolean; readonly timeout: number }

/** Adds `--no-wait` and `--timeout`: what `submitLedgerEvent` takes. */
export function withWaiting(command: Command): Command {
  return command
    .option('--no-wait', 'return as soon as the node has accepted it')
    .option('--timeout <seconds>', 'longest wait', wholeNumber(1, 600), 30)
}

/**
 * Hands an event in, signed by the node's account, and waits until it is executed unless told not to. Throws the refusal
 * of the network with its own code.
 */
export async function submitLedgerEvent(
  context: CommandContext,
  type: string,
  json: unknown,
  { wait, timeout }: LedgerEventOptions
): Promise<SubmittedEvent> {
  const daemon = await context.daemon()
  try {
    return await daemon.json<SubmittedEvent>({
      method: 'POST',
      path: '/v0/events',
      query: { wait, timeoutMs: timeout * 1000 },
      body: { type, payload: json },
      timeoutMs: timeout * 1000 + 10_000
    })
  } catch (error) {
    throw asRefusal(error)
  }
}

/** Prints what became of an event, with rows of its own before; `more` is added to the JSON. */
export async function printLedgerEvent(
  { output }: CommandContext,
  event: SubmittedEvent,
  rows: readonly (readonly [string, string | number | null])[] = [],
  more: Readonly<Record<string, unknown>> = {}
): Promise<void> {
  await output.answer({ ...event, ...more }, () =>
    fields([
      ...rows,
      ['event', event.eventId],
      ['finality', event.finality],
      ['sequence', event.sequence],
      ['block', event.block],
      ['took', `${Math.round(event.elapsedMs)} ms`]
    ])
  )
}

/** What a script looks at is why, not that there was a refusal: that code, where the network refused an event. */
export function asRefusal(error: unknown): unknown {
  if (!(error instanceof DaemonError) || error.refusal === undefined) return error
  const code = error.refusal
  const entry = errorTable[code as ErrorCode] as { readonly nextStep: string } | undefined
  const isPlain = entry !== undefined && !entry.nextStep.includes('{')
  return new DaemonError({
    code,
    message: error.message,
    nextStep: isPlain ? entry.nextStep : error.nextStep,
    refusal: code
  })
}
