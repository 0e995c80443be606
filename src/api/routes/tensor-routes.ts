import { z } from 'zod'
import { identifier, timeoutMs } from '../inputs.ts'
import { type Route, route } from '../route.ts'

const cid = z.strictObject({ cid: identifier })
const fetchTimeout = z.strictObject({ timeoutMs: timeoutMs(120_000) })
const uploadBytesMax = 64 * 2 ** 30

/** Tensors: in, out, checked, kept. Their bytes are streamed, never held whole. */
export const tensorRoutes: readonly Route[] = [
  route({
    method: 'POST',
    path: '/v0/tensors',
    scope: 'operate',
    summary: 'Store a tensor file',
    query: z.strictObject({
      format: z.enum(['npy', 'safetensors', 'tblock']),
      name: z
        .string()
        .max(255)
        .regex(/^[\x20-\x7e]+$/, 'printable characters')
        .default('tensor')
    }),
    body: { bytes: true, limitBytes: uploadBytesMax, description: 'the file' },
    answer: 'application/json',
    answerDescription: '`cid`, `dtype`, `shape`, `sizeBytes`, `tensors`',
    handle: async ({ query, bytes }, { node }) => ({
      kind: 'json',
      body: await node.putTensor({ ...query, bytes: bytes() })
    })
  }),
  route({
    method: 'GET',
    path: '/v0/tensors/:cid',
    scope: 'read',
    summary: 'What is known of a tensor that is here',
    params: cid,
    answer: 'application/json',
    answerDescription: 'the tensor',
    handle: async ({ params }, { node }) => ({ kind: 'json', body: await node.showTensor(params.cid) })
  }),
  route({
    method: 'GET',
    path: '/v0/tensors/:cid/file',
    scope: 'read',
    summary: 'The file as it was stored, fetched from the network when it is not here',
    params: cid,
    query: fetchTimeout,
    answer: 'application/octet-stream',
    answerDescription: 'the file',
    handle: async ({ params, query, signal }, { node }) => ({
      kind: 'file',
      ...(await node.exportTensor(params.cid, { ...query, signal }))
    })
  }),
  route({
    method: 'POST',
    path: '/v0/tensors/:cid/verify',
    scope: 'operate',
    summary: 'Read every leaf and compare it with its name',
    params: cid,
    answer: 'application/json',
    answerDescription: '`valid`, `reason`, `leavesChecked`',
    handle: async ({ params }, { node }) => ({ kind: 'json', body: await node.verifyTensor(params.cid) })
  }),
  route({
    method: 'POST',
    path: '/v0/tensors/:cid/fetch',
    scope: 'operate',
    summary: 'Bring a tensor here from the network, verified',
    params: cid,
    query: fetchTimeout,
    answer: 'application/json',
    answerDescription: 'the tensor',
    handle: async ({ params, query, signal }, { node }) => ({
      kind: 'json',
      body: await node.fetchTensor(params.cid, { ...query, signal })
    })
  }),
  pinRoute('PUT', true, 'Keep a tensor and offer it to others'),
  pinRoute('DELETE', false, 'Let a tensor go when room is needed')
]

function pinRoute(method: 'PUT' | 'DELETE', pinned: boolean, summary: string): Route {
  return route({
    method,
    path: '/v0/tensors/:cid/pin',
    scope: 'operate',
    summary,
    params: cid,
    answer: 'application/json',
    answerDescription: '`cid` and `pinned`',
    handle: async ({ params }, { node }) => {
      await node.pinTensor(params.cid, pinned)
      return { kind: 'json', body: { cid: params.cid, pinned } }
    }
  })
}
