import type { TestContext } from 'node:test'
import { type Api, createApi } from '../../src/api/index.ts'
import type { ApiTokens } from '../../src/node/index.ts'
import { createNodeDouble, type NodeDouble } from './node-double.ts'

export const tokens: ApiTokens = { read: 'r'.repeat(43), operate: 'o'.repeat(43), sign: 's'.repeat(43) }

export type RunningApi = {
  readonly api: Api
  readonly node: NodeDouble
  readonly url: string
  readonly stopsAsked: () => number
  /** A request with the token that may do all, unless another is given. */
  readonly call: (
    method: string,
    path: string,
    options?: { token?: string | null; json?: unknown; bytes?: Uint8Array }
  ) => Promise<Response>
}

/** The real API over a double of the node, on a free port, stopped when the test ends. */
export async function startApi(t: Pick<TestContext, 'after'>, given: ApiTokens = tokens): Promise<RunningApi> {
  const node = createNodeDouble()
  let stops = 0
  const quiet = { error: () => {}, warn: () => {}, debug: () => {} }
  const api = createApi({ node, tokens: given, logger: quiet, onStop: () => stops++ })
  const { url } = await api.start({ host: '127.0.0.1', port: 0 })
  t.after(() => api.stop())
  return {
    api,
    node,
    url,
    stopsAsked: () => stops,
    call: (method, path, { token = given.sign, json, bytes } = {}) =>
      fetch(url + path, {
        method,
        headers: {
          ...(token === null ? {} : { authorization: `Bearer ${token}` }),
          ...(json === undefined ? {} : { 'content-type': 'application/json' }),
          ...(bytes === undefined ? {} : { 'content-type': 'application/octet-stream' })
        },
        body: json === undefined ? (bytes === undefined ? null : Buffer.from(bytes)) : JSON.stringify(json)
      })
  }
}

export async function errorCode(response: Response): Promise<string> {
  const body = (await response.json()) as { error: { code: string; message: string; nextStep: string } }
  return body.error.code
}
