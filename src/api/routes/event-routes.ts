import { z } from 'zod'
import { BlyanError } from '../../errors/index.ts'
import type { BlyanNode, SubmitRequest } from '../../node/index.ts'
import { base64, bytesOfBase64, flag, identifier, page, strictBytesOfBase64, timeoutMs } from '../inputs.ts'
import { type Route, route } from '../route.ts'
import { errorBody } from '../send-reply.ts'

const id = z.strictObject({ id: identifier })

/** What one request may bring; its body has a limit too. */
const eventsPerRequestMax = 512

const submission = z.union([
  z.strictObject({
    type: z
      .string()
      .min(1)
      .max(64)
      .regex(/^[\x21-\x7e]+$/, 'printable characters'),
    payload: z.unknown().describe('bytes as {"base64": ...}; text of a note; the JSON object of other types'),
    tenantId: z.string().max(128).optional(),
    logicalClock: z.int().min(0).optional()
  }),
  z.strictObject({ signedEvent: z.base64().max(2 << 20) }),
  z.strictObject({
    signedEvents: z
      .array(
        z
          .string()
          .min(1)
          .max(128 << 10)
      )
      .min(1)
      .max(eventsPerRequestMax)
      .describe('base64, each as `signedEvent`; taken in their order')
  })
])

/** Events: hand one in, follow it until it is final, prove it to others. */
export const eventRoutes: readonly Route[] = [
  route({
    method: 'POST',
    path: '/v0/events',
    scope: 'sign',
    summary: "Submit an event, signed by this node's account or signed already, or many that are signed",
    query: z.strictObject({ wait: flag('true'), timeoutMs: timeoutMs(30_000) }),
    body: submission,
    answer: 'application/json',
    answerDescription:
      '`eventId`, `final`, `finality` (`final`, `degraded`, `pending`), `sequence`, `block`, `elapsedMs`; `missing`: validators whose confirmation a degraded event lacks; for many, `events` with one such answer or `error` for each, in their order',
    handle: async ({ query, body, signal }, { node }) => {
      const wait = { ...query, signal }
      if (!('signedEvents' in body))
        return { kind: 'json', body: await node.submitEvent(submitRequestOf(body, node), wait) }
      const answers = await node.submitSignedEvents(body.signedEvents.map(strictBytesOfBase64), wait)
      const events = answers.map(answer => (answer instanceof BlyanError ? errorBody(answer) : answer))
      return { kind: 'json', body: { events } }
    }
  }),
  route({
    method: 'GET',
    path: '/v0/events',
    scope: 'read',
    summary: 'The final order',
    query: page,
    answer: 'application/x-ndjson',
    answerDescription: 'one line each: `sequence`, `eventId`, `type`, `author`, `finality`',
    handle: async ({ query }, { node }) => ({ kind: 'lines', items: node.listEvents(query) })
  }),
  route({
    method: 'GET',
    path: '/v0/events/:id',
    scope: 'read',
    summary: 'One event, and which validators PREPAREd and COMMITted it',
    params: id,
    answer: 'application/json',
    answerDescription: 'the event with `final`, `finality` (`final`, `degraded`, `pending`), `prepared`, `committed`',
    handle: async ({ params }, { node }) => ({ kind: 'json', body: await node.showEvent(params.id) })
  }),
  route({
    method: 'GET',
    path: '/v0/events/:id/proof',
    scope: 'read',
    summary: 'A finality proof that anyone checks offline against the genesis file',
    params: id,
    answer: 'application/octet-stream',
    answerDescription: 'bytes for `blyan-node event verify`',
    handle: async ({ params }, { node }) => ({ kind: 'bytes', bytes: await node.eventProof(params.id) })
  })
]

type Submission = Exclude<z.infer<typeof submission>, { signedEvents: string[] }>

function submitRequestOf(body: Submission, node: BlyanNode): SubmitRequest {
  if ('signedEvent' in body) return { signedEvent: bytesOfBase64(body.signedEvent) }
  const { type, payload, ...rest } = body
  return { type, payload: payloadBytes(type, payload, node), ...rest }
}

function payloadBytes(type: string, payload: unknown, node: BlyanNode): Uint8Array {
  const exact = base64.safeParse(payload)
  if (exact.success) return bytesOfBase64(exact.data.base64)
  if (type === 'note' && typeof payload === 'string') return new TextEncoder().encode(payload)
  return node.encodePayload(type, payload)
}
