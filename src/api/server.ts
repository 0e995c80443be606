import type { AddressInfo } from 'node:net'
import { availableParallelism, loadavg } from 'node:os'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import fastifyWebsocket, { type WebSocket } from '@fastify/websocket'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { BlyanError, describeError, isBlyanError } from '../errors/index.ts'
import { type ApiTokens, type BlyanNode, type ChatService, createChatService, type Logger } from '../node/index.ts'
import { type Authenticator, createAuthenticator } from './authentication.ts'
import { authorizationOf, streamProtocol } from './bearer.ts'
import { jsonOfBytes } from './json-body.ts'
import { isOpenAiPath, openAiError } from './openai-shape.ts'
import { openApiDocument } from './openapi.ts'
import { type ApiHealth, isBytesBody, type Route, type RouteContext } from './route.ts'
import { routeTable } from './route-table.ts'
import { errorBody, sendReply } from './send-reply.ts'
import { type ChatSockets, createChatSockets } from './websocket.ts'

/** The histogram counts its own sampling period as delay. */
const eventLoopResolutionMs = 20
const resolutionNs = eventLoopResolutionMs * 1e6

export interface Api {
  /** Throws API_PORT_TAKEN. Port 0 takes any free one. */
  start(address: { host: string; port: number }): Promise<{ url: string }>
  /** Ends open streams, lets running requests finish for a moment, then closes. */
  stop(): Promise<void>
  /** `METHOD /path` of every route the server answers. */
  routes(): readonly string[]
}

export type ApiNeeds = {
  readonly node: BlyanNode
  readonly tokens: ApiTokens
  readonly logger: Pick<Logger, 'error' | 'warn' | 'debug'>
  /** Someone asked over HTTP to stop the daemon. */
  readonly onStop: () => void
}

const jsonBodyBytesMax = 4 << 20
const connectionsMax = 4096
/** Server-sent events, WebSockets and answers together. An open one that is idle costs about 40 kB. */
const streamsMax = 2048
/** JSON that is being taken in, of all requests together. */
const openBodiesBytesMax = 256 << 20
const openBodiesRetryMs = 1000
const streamRetryMs = 5000
const socketPath = '/v1/stream'
/** Longer than the longest wait a request may ask for. */
const idleTimeoutMs = 660_000
const uploadTimeoutMs = 6 * 3600 * 1000
const headersTimeoutMs = 10_000
const finishWithinMs = 2000

export function createApi(needs: ApiNeeds): Api {
  return new FastifyApi(needs)
}

class FastifyApi implements Api {
  readonly #needs: ApiNeeds
  readonly #server: FastifyInstance
  readonly #authenticator: Authenticator
  readonly #registered: string[] = []
  readonly #open = new Set<AbortController>()
  readonly #chat: ChatService
  readonly #sockets: ChatSockets
  readonly #eventLoopDelay = monitorEventLoopDelay({ resolution: eventLoopResolutionMs })
  #streams = 0
  #openBodiesBytes = 0

  constructor(needs: ApiNeeds) {
    this.#needs = needs
    this.#chat = createChatService({ node: needs.node })
    this.#sockets = createChatSockets({ chat: this.#chat, onClose: () => this.#streams-- })
    this.#authenticator = createAuthenticator(needs.tokens, Date.now)
    this.#server = fastify({
      logger: false,
      bodyLimit: jsonBodyBytesMax,
      connectionTimeout: idleTimeoutMs,
      requestTimeout: uploadTimeoutMs,
      exposeHeadRoutes: false,
      routerOptions: { maxParamLength: 256 }
    })
    this.#server.server.headersTimeout = headersTimeoutMs
    this.#server.server.maxConnections = connectionsMax
    // Raw bodies stay streams: their routes read them piece by piece and count.
    this.#server.addContentTypeParser('application/octet-stream', (_request, payload, done) => done(null, payload))
    this.#server.addHook('onRoute', ({ method, url }) => {
      this.#registered.push(`${String(method)} ${url}`)
    })
    this.#server.setErrorHandler((error, request, reply) => this.#sendError(error, request, reply))
    this.#server.setNotFoundHandler((request, reply) => {
      const path = request.url.split('?')[0]!.slice(0, 200)
      return this.#sendError(new BlyanError('ROUTE_UNKNOWN', { method: request.method, path }), request, reply)
    })
    this.#server.addContentTypeParser('application/json', { parseAs: 'buffer' }, jsonOfBytes(this.#server))
    void this.#server.register(fastifyWebsocket, {
      errorHandler: (_error, socket) => socket.terminate(),
      options: {
        maxPayload: jsonBodyBytesMax,
        perMessageDeflate: false,
        handleProtocols: offered => (offered.has(streamProtocol) ? streamProtocol : false)
      }
    })
    // Once WebSockets are known: their plugin looks at every route.
    void this.#server.register(async server => {
      for (const route of routeTable) this.#register(server, route)
    })
  }

  async start({ host, port }: { host: string; port: number }): Promise<{ url: string }> {
    try {
      await this.#server.listen({ host, port })
    } catch (error) {
      const reason =
        (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
          ? 'something listens there already'
          : (error as Error).message
      throw new BlyanError('API_PORT_TAKEN', { host, port, reason }, { cause: error })
    }
    this.#eventLoopDelay.enable()
    const bound = this.#server.server.address() as AddressInfo
    return { url: `http://${urlHost(bound)}:${bound.port}` }
  }

  async stop(): Promise<void> {
    this.#eventLoopDelay.disable()
    for (const controller of this.#open) controller.abort()
    const force = setTimeout(() => this.#server.server.closeAllConnections(), finishWithinMs)
    this.#sockets.stop()
    this.#server.server.closeIdleConnections()
    await this.#server.close()
    clearTimeout(force)
  }

  routes(): readonly string[] {
    return this.#registered
  }

  #register(server: FastifyInstance, route: Route): void {
    const isSocket = route.path === socketPath
    server.route({
      method: route.method,
      url: route.path,
      // Before the body is read: a stranger's body is not worth a byte.
      onRequest: async (request, reply) => {
        this.#authenticator.authorise(route.scope, authorizationOf(request.headers), request.ip)
        if (route.body !== null && !isBytesBody(route.body)) this.#countBody(request, reply)
        if (isSocket) this.#requireStreamPlace()
      },
      handler: (request, reply) => this.#handle(route, request, reply),
      ...(isSocket ? { wsHandler: (socket: WebSocket) => this.#addSocket(socket) } : {})
    })
  }

  #addSocket(socket: WebSocket): void {
    this.#streams++
    this.#sockets.add(socket)
  }

  #requireStreamPlace(): void {
    if (this.#streams >= streamsMax)
      throw new BlyanError('TOO_MANY_STREAMS', { limit: streamsMax, retryAfterMs: streamRetryMs })
  }

  #countBody({ headers }: FastifyRequest, { raw }: FastifyReply): void {
    const bytes = Math.min(Number(headers['content-length'] ?? jsonBodyBytesMax), jsonBodyBytesMax)
    if (this.#openBodiesBytes + bytes > openBodiesBytesMax)
      throw new BlyanError('OPEN_BODIES_FULL', { limitBytes: openBodiesBytesMax, retryAfterMs: openBodiesRetryMs })
    this.#openBodiesBytes += bytes
    raw.once('close', () => {
      this.#openBodiesBytes -= bytes
    })
  }

  async #handle(route: Route, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const controller = new AbortController()
    const isStream = route.answer === 'text/event-stream'
    if (isStream) this.#requireStreamPlace()
    this.#open.add(controller)
    if (isStream) this.#streams++
    reply.raw.once('close', () => {
      // An answer that was sent whole has nobody left to tell.
      if (!reply.raw.writableFinished) controller.abort()
      this.#open.delete(controller)
      if (isStream) this.#streams--
    })
    void reply.headers({ 'blyan-api': '0', 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' })
    const { params, query, body, raw } = request
    const answer = await route.run({ params, query, body, raw, signal: controller.signal }, this.#context(reply))
    await sendReply(reply, answer, controller.signal)
  }

  #context(reply: FastifyReply): RouteContext {
    return {
      node: this.#needs.node,
      chat: this.#chat,
      nowMs: Date.now,
      onStop: () => reply.raw.once('finish', () => setImmediate(this.#needs.onStop)),
      health: () => this.#health(),
      openApi: () => openApiDocument(routeTable)
    }
  }

  async #health(): Promise<ApiHealth> {
    const { state } = await this.#needs.node.status()
    const latencies = this.#needs.node
      .peers()
      .flatMap(peer => (peer.latencyMs === null ? [] : [peer.latencyMs]))
      .sort((a, b) => a - b)
    const memory = process.memoryUsage()
    return {
      status: state === 'ready' ? 'ok' : state === 'degraded' || state === 'syncing' ? 'degraded' : 'unavailable',
      state,
      load: {
        loadAverage1m: loadavg()[0]!,
        cpuCount: availableParallelism(),
        residentBytes: memory.rss,
        heapUsedBytes: memory.heapUsed
      },
      latency: {
        eventLoopP50Ms: milliseconds(this.#eventLoopDelay.percentile(50) - resolutionNs),
        eventLoopP99Ms: milliseconds(this.#eventLoopDelay.percentile(99) - resolutionNs),
        peersMedianMs: latencies[latencies.length >> 1] ?? null
      }
    }
  }

  #sendError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const named = namedError(error)
    const { code, httpStatus } = describeError(named)
    const route = `${request.method} ${request.routeOptions.url ?? 'unknown'}`
    // The message may quote what a peer or client wrote, so above debug only the code is logged.
    if (httpStatus >= 500 && code === 'INTERNAL') this.#needs.logger.error({ code, route }, 'a request failed')
    this.#needs.logger.debug({ code, route, error: named }, 'a request was refused')
    if (code === 'TOKEN_INVALID') void reply.header('www-authenticate', 'Bearer')
    const retryAfterMs = isBlyanError(named) ? named.payload.retryAfterMs : undefined
    if (typeof retryAfterMs === 'number') void reply.header('retry-after', Math.max(1, Math.ceil(retryAfterMs / 1000)))
    // The rest of a refused body is read and dropped, or the client would never come to read why; a stranger's is not.
    const isStranger = code === 'TOKEN_INVALID' || code === 'TOO_MANY_BAD_TOKENS'
    if (!isStranger && !request.raw.readableEnded) request.raw.resume()
    return reply
      .headers({ 'blyan-api': '0', connection: isStranger ? 'close' : 'keep-alive' })
      .code(httpStatus)
      .send(isOpenAiPath(request.url) ? openAiError(named) : errorBody(named))
  }
}

/** Fastify's own refusals by the names of our table. */
function namedError(error: unknown): unknown {
  if (isBlyanError(error)) return error
  const { statusCode, message } = error as { statusCode?: number; message?: string }
  if (statusCode === 413)
    return new BlyanError('INPUT_TOO_LARGE', { what: 'the body', limitBytes: jsonBodyBytesMax }, { cause: error })
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return new BlyanError('REQUEST_INVALID', { reason: (message ?? 'not understood').slice(0, 300) }, { cause: error })
  }
  return error
}

/** A server bound to every address is reached at loopback. */
function urlHost({ address, family }: AddressInfo): string {
  if (address === '0.0.0.0') return '127.0.0.1'
  if (address === '::') return '[::1]'
  return family === 'IPv6' ? `[${address}]` : address
}

function milliseconds(nanoseconds: number): number {
  return Math.round(nanoseconds / 10_000) / 100
}
