import { z } from 'zod'
import { isBytesBody, type Route } from './route.ts'

/** The routes as an OpenAPI 3.1 document, so that other programs can be checked and generated against it. */
export function openApiDocument(routes: readonly Route[]): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {}
  for (const route of routes) {
    const path = route.path.replace(/:(\w+)/g, '{$1}')
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operationOf(route) }
  }
  return {
    openapi: '3.1.0',
    info: { title: 'blyan-node', version: '0', description: 'HTTP interface of one node' },
    security: [{ bearer: [] }],
    paths,
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer', description: 'a token from the data folder' } },
      schemas: { Error: errorSchema }
    }
  }
}

const errorSchema = {
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['code', 'message', 'nextStep'],
      properties: { code: { type: 'string' }, message: { type: 'string' }, nextStep: { type: 'string' } }
    }
  }
}

function operationOf(route: Route): Record<string, unknown> {
  const parameters = [...parametersOf(route.params, 'path'), ...parametersOf(route.query, 'query')]
  return {
    summary: route.summary,
    'x-scope': route.scope,
    ...(route.scope === 'none' ? { security: [] } : {}),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(route.body === null ? {} : { requestBody: requestBodyOf(route.body) }),
    responses: {
      ...(route.path === '/v0/stop' ? { 202: answerOf(route) } : { 200: answerOf(route) }),
      default: {
        description: 'an error',
        content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } }
      }
    }
  }
}

function answerOf(route: Route): Record<string, unknown> {
  const isBytes = route.answer === 'application/octet-stream'
  return {
    description: route.answerDescription,
    content: {
      [route.answer]: isBytes ? {} : { schema: { type: route.answer === 'application/json' ? 'object' : 'string' } }
    }
  }
}

function requestBodyOf(body: NonNullable<Route['body']>): Record<string, unknown> {
  if (isBytesBody(body)) {
    return {
      required: true,
      description: `${body.description}; up to ${body.limitBytes} bytes`,
      content: { 'application/octet-stream': {} }
    }
  }
  return { required: true, content: { 'application/json': { schema: jsonSchemaOf(body) } } }
}

function parametersOf(shape: z.ZodObject, place: 'path' | 'query'): Record<string, unknown>[] {
  const { properties = {}, required = [] } = jsonSchemaOf(shape) as {
    properties?: Record<string, unknown>
    required?: string[]
  }
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: place,
    required: place === 'path' || required.includes(name),
    schema
  }))
}

function jsonSchemaOf(schema: z.ZodType): Record<string, unknown> {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Record<
    string,
    unknown
  >
  return rest
}
