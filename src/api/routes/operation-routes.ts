import { z } from 'zod'
import { BlyanError } from '../../errors/index.ts'
import { type Route, route } from '../route.ts'

const levels = ['silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const

/** Running the daemon, and the description of this interface. */
export const operationRoutes: readonly Route[] = [
  route({
    method: 'PUT',
    path: '/v0/log-level',
    scope: 'operate',
    summary: 'Change how much a component logs, while it runs',
    body: z.strictObject({ component: z.string().min(1).max(64), level: z.enum(levels) }),
    answer: 'application/json',
    answerDescription: '`component` and `level`',
    handle: async ({ body }, { node }) => {
      try {
        node.setLogLevel(body.component, body.level)
      } catch (error) {
        if (error instanceof RangeError)
          throw new BlyanError('REQUEST_INVALID', { reason: error.message }, { cause: error })
        throw error
      }
      return { kind: 'json', body }
    }
  }),
  route({
    method: 'POST',
    path: '/v0/stop',
    scope: 'operate',
    summary: 'Drain and stop the daemon',
    answer: 'application/json',
    answerDescription: '`stopping`, true; the process ends a little later',
    handle: async (_input, { onStop }) => {
      onStop()
      return { kind: 'json', status: 202, body: { stopping: true } }
    }
  }),
  route({
    method: 'GET',
    path: '/v0/openapi.json',
    scope: 'read',
    summary: 'This interface as an OpenAPI document',
    answer: 'application/json',
    answerDescription: 'OpenAPI 3.1',
    handle: async (_input, { openApi }) => ({ kind: 'json', body: openApi() })
  })
]
