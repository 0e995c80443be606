import { z } from 'zod'
import { importLearningViews } from '../../node/index.ts'
import { bytesOf, partName, partPicks, partPicksText, textOrBytes, timeoutMs } from '../inputs.ts'
import { collectBytes, type Route, route, type ServerSentEvent } from '../route.ts'

const evaluateBytesMax = 1 << 20

/** The model: its parts, its loss on a text, its answers. */
export const expertRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v0/experts',
    scope: 'read',
    summary: "The parts of the network's newest model",
    answer: 'application/json',
    answerDescription: '`experts`; of each `local`, whether it is here, and `holders`, how many others answer for it',
    handle: async (_input, { node }) => ({ kind: 'json', body: { experts: node.listExperts() } })
  }),
  route({
    method: 'GET',
    path: '/v0/experts/:name',
    scope: 'read',
    summary: 'One part and its history',
    params: z.strictObject({
      name: partName
    }),
    answer: 'application/json',
    answerDescription:
      'the part; `heldBy`: the nodes that answer for it, as GET /v0/holders lists them; `tensors`: its versions, oldest first; `learning`: how the newest is made (`snapshot`, `updates`) and the `candidates` for it',
    handle: async ({ params: { name } }, { node }) => {
      const { partVersionsView } = await importLearningViews()
      const shown = node.showExpert(name)
      return { kind: 'json', body: { ...shown, learning: partVersionsView(node.ledger, name) } }
    }
  }),
  route({
    method: 'GET',
    path: '/v0/holders',
    scope: 'read',
    summary: 'Other nodes that answer for experts',
    answer: 'application/json',
    answerDescription:
      '`holders`: `peerId`, `account`, `priceUnitsPer1000Rows`, `score`, `openCalls`, `roundTripMs`, `standing`, `experts`',
    handle: async (_input, { node }) => ({ kind: 'json', body: { holders: node.listHolders() } })
  }),
  route({
    method: 'POST',
    path: '/v0/evaluate',
    scope: 'operate',
    summary: "Loss of the network's newest model on a text",
    query: z.strictObject({
      timeoutMs: timeoutMs(120_000),
      parts: partPicksText.optional().describe('versions that stand in for the newest: name=CID, commas between')
    }),
    body: { bytes: true, limitBytes: evaluateBytesMax, description: 'the text' },
    answer: 'application/json',
    answerDescription: '`lossNatsPerByte`, `bytes`, `elapsedMs`, `device`',
    handle: async ({ query, bytes }, { node }) => ({
      kind: 'json',
      body: await node.evaluate({ text: await collectBytes(bytes()), ...query })
    })
  }),
  route({
    method: 'POST',
    path: '/v0/generate',
    scope: 'operate',
    summary: 'Continue a text, byte by byte as it is made',
    body: z.strictObject({
      prompt: textOrBytes,
      tokensMax: z.int().min(1).max(65_536).default(256),
      temperature: z.number().min(0).max(10).default(0.8),
      seed: z.int().min(0).max(0xffffffff).default(0),
      parts: partPicks.optional().describe('versions of parts that stand in for the newest: name to CID')
    }),
    answer: 'text/event-stream',
    answerDescription:
      'messages `part` (`text` and the exact bytes as `base64`), then one `done` (`bytes`, `elapsedMs`)',
    handle: async ({ body, signal }, { node }) => ({
      kind: 'events',
      items: parts(node.generate({ ...body, prompt: bytesOf(body.prompt), signal }))
    })
  })
]

async function* parts(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<ServerSentEvent> {
  const startedMs = performance.now()
  const decoder = new TextDecoder()
  let bytes = 0
  for await (const chunk of chunks) {
    bytes += chunk.length
    // A character may be cut between two chunks: the decoder keeps its first bytes for the next text.
    yield {
      event: 'part',
      data: { text: decoder.decode(chunk, { stream: true }), base64: Buffer.from(chunk).toString('base64') }
    }
  }
  const rest = decoder.decode()
  if (rest !== '') yield { event: 'part', data: { text: rest, base64: '' } }
  yield { event: 'done', data: { bytes, elapsedMs: Math.round(performance.now() - startedMs) } }
}
