import { isAbsolute } from 'node:path'
import { z } from 'zod'
import type { ModelEntry } from '../../node/index.ts'
import { type Route, route } from '../route.ts'

/** Models of this network, and how one comes into it. */
export const modelRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v0/models',
    scope: 'read',
    summary: 'The models of this network',
    answer: 'application/json',
    answerDescription:
      '`models`: `name`, `architecture`, `author`, `block`, `tokenizer`, `parts`, `partsOnChain`, `partsHere`, `isComplete`',
    handle: async (_, { node }) => ({ kind: 'json', body: { models: node.models().map(modelView) } })
  }),
  route({
    method: 'POST',
    path: '/v0/models/import',
    scope: 'sign',
    summary: "Make a model of a Hugging Face folder on this machine; its events are signed by this node's account",
    body: z.strictObject({
      folder: z.string().max(4096).refine(isAbsolute, 'an absolute path'),
      name: z.string().max(64).optional(),
      precision: z.enum(['int8', 'fp32']).default('int8')
    }),
    answer: 'application/x-ndjson',
    answerDescription:
      'one line each: `plan`, then `progress` (`phase`, `partsDone`, `parts`, `bytesDone`, `bytes`), then `done` (`model`, `block`); leaving stops the import, and started again it goes on',
    handle: async ({ body, signal }, { node }) => ({
      kind: 'lines',
      items: node.importModel({ ...body, name: body.name, signal })
    })
  })
]

function modelView({ parts, ...model }: ModelEntry): unknown {
  return {
    ...model,
    partsOnChain: parts.length,
    partsHere: parts.filter(({ isHere }) => isHere).length,
    partBytes: parts.reduce((total, { lengthBytes }) => total + lengthBytes, 0)
  }
}
