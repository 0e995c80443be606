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
    answerDescription: '`ready` and `reasons`',
    handle: async (_input, { node }) => {
      const reasons = node.notReadyReasons()
      return { kind: 'json', status: reasons.length === 0 ? 200 : 503, body: { ready: reasons.length === 0, reasons } }
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
    answerDescription: 'a `blyan.status/1` document',
    handle: async (_input, { node }) => ({ kind: 'json', body: await node.status() })
  }),
  route({
    method: 'GET',
    path: '/v0/peers',
    scope: 'read',
    summary: 'Who is connected',
    answer: 'application/json',
    answerDescription: '`peers`, one entry for each connection',
    handle: async (_input, { node }) => ({ kind: 'json', body: { peers: node.peers() } })
  }),
  route({
    method: 'GET',
    path: '/v0/stream',
    scope: 'read',
    summary: 'The status now and then, and each final event as it happens',
    query: z.strictObject({ statusEveryMs: z.coerce.number().int().min(250).max(3_600_000).default(5000) }),
    answer: 'text/event-stream',
    answerDescription: 'messages `status` and `event`; comment lines keep the connection alive',
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
