import type { Command } from 'commander'
import { BlyanError, describeError, isBlyanError } from '../../errors/index.ts'
import {
  type EventLine,
  type EventView,
  readSmallFile,
  type SubmittedEvent,
  writeFileDurably
} from '../../node/index.ts'
import { type CommandContext, type RegisterCommand, readInput, unreadable, wholeNumber } from '../context.ts'
import { fields, printable } from '../output.ts'

const noteBytesMax = 64 * 1024
const payloadBytesMax = 1 << 20
const proofBytesMax = 16 << 20
const genesisBytesMax = 64 << 20

/** What src/dag checks of a proof, with nothing but the genesis file. */
type ProofVerdict = {
  readonly valid: boolean
  readonly reason: string | null
  readonly checkpoint: number | null
  readonly signers: readonly string[]
  readonly eventId: string | null
}

export const register: RegisterCommand = (command, context) => {
  registerSubmit(command, context)
  registerShow(command, context)
  registerList(command, context)
  registerProof(command, context)
  registerVerify(command, context)
}

type SubmitOptions = { type: string; payload: string; wait: boolean; timeout: number; tenant?: string; clock?: number }

function registerSubmit(command: Command, context: () => CommandContext): void {
  command
    .command('submit')
    .summary('hand in an event and wait until it is final, or degraded where a validator is missing')
    .requiredOption('--type <type>', 'what the event is; "note" takes any payload')
    .requiredOption('--payload <source>', 'a file as @FILE, or - for standard input')
    .option('--no-wait', 'return as soon as the node has accepted it')
    .option('--timeout <seconds>', 'longest wait', wholeNumber(1, 600), 30)
    .option('--tenant <id>', 'tenant the event belongs to')
    .option('--clock <n>', 'logical clock of the event', wholeNumber(0, Number.MAX_SAFE_INTEGER))
    .action(async ({ type, payload, wait, timeout, tenant, clock }: SubmitOptions) => {
      const { output, daemon } = context()
      const bytes = await readPayload(type, payload)
      const event = await (await daemon()).json<SubmittedEvent>({
        method: 'POST',
        path: '/v0/events',
        query: { wait, timeoutMs: timeout * 1000 },
        body: { type, payload: payloadFor(type, bytes), tenantId: tenant, logicalClock: clock },
        timeoutMs: timeout * 1000 + 10_000
      })
      await output.answer(event, () =>
        fields([
          ['event', event.eventId],
          ['finality', event.finality],
          ['missing', missingText(event)],
          ['sequence', event.sequence],
          ['block', event.block],
          ['took', `${Math.round(event.elapsedMs)} ms`]
        ])
      )
    })
}

/** Who has to confirm what is ordered and not final. */
function missingText({ finality, missing }: SubmittedEvent): string | null {
  if (finality !== 'degraded') return null
  const who = missing.length === 0 ? 'not all validators confirm it' : `${missing.join(', ')} must confirm it`
  return `${who}; it is ordered, and turns final then`
}

function registerShow(command: Command, context: () => CommandContext): void {
  command
    .command('show')
    .summary('one event, who PREPAREd it and who COMMITted it')
    .argument('<id>', 'event id')
    .action(async (id: string) => {
      const { output, daemon } = context()
      const event = await (await daemon()).json<EventView>({ path: `/v0/events/${encodeURIComponent(id)}` })
      await output.answer(event, () => eventText(event))
    })
}

function registerList(command: Command, context: () => CommandContext): void {
  command
    .command('list')
    .summary('the final order')
    .option('--from <n>', 'first sequence', wholeNumber(0, Number.MAX_SAFE_INTEGER), 0)
    .option('--limit <n>', 'most events', wholeNumber(1, 1_000_000), 100)
    .action(async (query: { from: number; limit: number }) => {
      const { output, daemon } = context()
      for await (const event of (await daemon()).lines<EventLine>({ path: '/v0/events', query })) {
        await output.line(event, () =>
          printable(
            `${String(event.sequence).padStart(8)}  ${event.eventId}  ${event.type}  ${event.author}${event.finality === 'final' ? '' : `  ${event.finality}`}`
          )
        )
      }
    })
}

function registerProof(command: Command, context: () => CommandContext): void {
  command
    .command('proof')
    .summary('write a finality proof that anyone checks offline')
    .argument('<id>', 'event id')
    .requiredOption('-o, --output <file>', 'where to write it')
    .action(async (id: string, options: { output: string }) => {
      const { output, daemon } = context()
      const answer = await (await daemon()).bytes({ path: `/v0/events/${encodeURIComponent(id)}/proof` })
      const chunks: Buffer[] = []
      for await (const chunk of answer) chunks.push(chunk as Buffer)
      const bytes = Buffer.concat(chunks)
      await writeFileDurably(options.output, bytes, { mode: 0o644 }).catch(error => {
        throw new BlyanError(
          'FILE_UNWRITABLE',
          { path: options.output, reason: (error as Error).message },
          { cause: error }
        )
      })
      await output.answer(
        { eventId: id, file: options.output, sizeBytes: bytes.length },
        () => `${options.output}: ${bytes.length} bytes`
      )
    })
}

function registerVerify(command: Command, context: () => CommandContext): void {
  command
    .command('verify')
    .summary('check a finality proof offline')
    .argument('<file>', 'the proof')
    .requiredOption('--genesis <file>', "the network's genesis file")
    .action(async (file: string, options: { genesis: string }) => {
      const { output } = context()
      const proof = await readInput(file, 'the proof', proofBytesMax)
      const genesis = await readSmallFile(options.genesis, genesisBytesMax).catch(error =>
        Promise.reject(unreadable(options.genesis, error))
      )
      if (genesis === null) throw unreadable(options.genesis, { code: 'ENOENT' })
      const verdict = await verdictOf(proof, genesis)
      if (!verdict.valid) process.exitCode = 1
      await output.answer(verdict, () =>
        fields([
          ['valid', verdict.valid ? 'yes' : 'NO'],
          ['reason', verdict.reason],
          ['event', verdict.eventId],
          ['checkpoint', verdict.checkpoint],
          ['signers', verdict.signers.length === 0 ? null : verdict.signers.join(' ')]
        ])
      )
    })
}

/** Bytes that are no proof at all are a verdict too, not a failure of this program. */
async function verdictOf(proof: Uint8Array, genesis: string): Promise<ProofVerdict> {
  const { verifyProof } = await import('../../dag/index.ts')
  try {
    return await verifyProof(proof, genesis)
  } catch (error) {
    if (!isBlyanError(error)) throw error
    return { valid: false, reason: describeError(error).message, checkpoint: null, signers: [], eventId: null }
  }
}

async function readPayload(type: string, source: string): Promise<Uint8Array> {
  const isFile = source.startsWith('@') && source.length > 1
  if (!isFile && source !== '-') {
    throw new BlyanError('USAGE', {
      reason: `--payload is @FILE or -, not "${source.slice(0, 40)}"`,
      hint: 'put the payload in a file, or pipe it in'
    })
  }
  const isNote = type === 'note'
  return readInput(
    isFile ? source.slice(1) : '-',
    isNote ? 'the payload of a note' : 'the payload',
    isNote ? noteBytesMax : payloadBytesMax
  )
}

/** A note is bytes; other types are JSON, and what is no JSON is left for the daemon to name. */
function payloadFor(type: string, bytes: Uint8Array): unknown {
  const text = Buffer.from(bytes).toString('utf8')
  if (type === 'note') return { base64: Buffer.from(bytes).toString('base64') }
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function eventText(event: EventView): string {
  const shown = typeof event.payload === 'string' ? event.payload : JSON.stringify(event.payload)
  return fields([
    ['event', event.eventId],
    ['type', event.type],
    ['author', event.author],
    ['finality', event.finality],
    ['refused', event.refusal],
    ['sequence', event.sequence],
    ['prepared', event.prepared.join(' ') || 'nobody yet'],
    ['committed', event.committed.join(' ') || 'nobody yet'],
    ['commit', event.commit === null ? null : `${event.commit} at ${event.committedAt}`],
    ['block', event.block],
    ['created', event.createdAt],
    ['origin', [event.origin, event.region].filter(Boolean).join(', ') || null],
    ['payload', `${shown.slice(0, 400)}${shown.length > 400 ? '...' : ''} (${event.payloadBytes} bytes)`]
  ])
}
