import { z } from 'zod'
import type { StreamMessage } from '../../node/index.ts'
import { type Route, route, type ServerSentEvent } from '../route.ts'

/** How the node is: for people, for probes and for scrapers. */
export const statusRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/livez',
    scope: 'none',
    summary: 'The process answers',
    answer: 'application/json',
    answerDescription: '`alive`, always true',
    handle: async () => ({ kind: 'json', body: { alive: true } })
  }),
  route({
    method: 'GET',
    path: '/readyz',
    scope: 'none',
    summary: 'The node does its work; 503 with the reasons when it does not',
    answer: 'application/json',
    answerDescription:
      '`ready` and `reasons`; `degraded`: what it lacks while it goes on, in a network that orders without a full quorum',
    handle: async (_input, { node }) => {
      const reasons = node.notReadyReasons()
      const ready = reasons.length === 0
      return { kind: 'json', status: ready ? 200 : 503, body: { ready, reasons, degraded: node.degradedReasons() } }
    }
  }),
  route({
    method: 'GET',
    path: '/health',
    scope: 'read',
    summary: 'Status, load and latency of this process',
    answer: 'application/json',
    answerDescription: '`status`, `state`, `load`, `latency`',
    handle: async (_input, { health }) => ({ kind: 'json', body: await health() })
  }),
  route({
    method: 'GET',
    path: '/metrics',
    scope: 'read',
    summary: 'Metrics for Prometheus',
    answer: 'text/plain',
    answerDescription: 'Prometheus text format',
    handle: async (_input, { node }) => ({
      kind: 'text',
      type: 'text/plain; version=0.0.4; charset=utf-8',
      text: await node.metrics()
    })
  }),
  route({
    method: 'GET',
    path: '/v0/status',
    scope: 'read',
    summary: 'What is going on',
    answer: 'application/json',
    answerDescription:
      'a `blyan.status/1` document: `state`, `ready`, `reasons`, `quorum` with `mode`, `missing`, `members` and `origins`, `events`, `checkpoint`, `sync`, `alarms`, `transitions` and more (docs/operators.md)',
    handle: async (_input, { node }) => ({ kind: 'json', body: await node.status() })
  }),
  route({
    method: 'GET',
    path: '/v0/peers',
    scope: 'read',
    summary: 'Who is connected',
    answer: 'application/json',
    answerDescription: '`peers`, one entry for each connection; `member` says how a validator keeps up',
    handle: async (_input, { node }) => ({ kind: 'json', body: { peers: node.peers() } })
  }),
  route({
    method: 'GET',
    path: '/v0/stream',
    scope: 'read',
    summary: 'The status now and then, and each event once it is ordered',
    query: z.strictObject({ statusEveryMs: z.coerce.number().int().min(250).max(3_600_000).default(5000) }),
    answer: 'text/event-stream',
    answerDescription:
      'messages `status` and `event`; an event carries `finality`, and one that was `degraded` comes again once it is `final`; comment lines keep the connection alive',
    handle: async ({ query, signal }, { node }) => ({
      kind: 'events',
      items: messages(node.stream({ ...query, signal }))
    })
  })
]

async function* messages(stream: AsyncIterable<StreamMessage>): AsyncGenerator<ServerSentEvent> {
  for await (const message of stream) {
    yield message.kind === 'status'
      ? { event: 'status', data: message.status }
      : { event: 'event', data: message.event }
  }
}
