/**
 * api: the HTTP interface of one node, on loopback unless configured.
 * In: a BlyanNode, bearer tokens, requests from programs on this machine. Out: JSON, line streams, files, server-sent events.
 * Never touches: disk, keys, chains, peers; whatever it answers comes from BlyanNode.
 * Every route is a row of one table (`routes/`), which also makes /v0/openapi.json.
 */

export type { AnswerNotes, AnswerProgress } from './openai-shape.ts'
export { openApiDocument } from './openapi.ts'
export type { Route, Scope } from './route.ts'
export { routeTable } from './route-table.ts'
export { type Api, type ApiNeeds, createApi } from './server.ts'
