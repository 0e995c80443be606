import { BlyanError, type ErrorCode } from '../../src/errors/index.ts'
import { LedgerWorld, operatorKey } from '../ledger/ledger-world.ts'
import type { NodeDouble } from './node-double.ts'

/** Puts a real ledger behind the double: its events are those of the first operator, and executed at once. */
export function withLedger(node: NodeDouble, world = new LedgerWorld()): LedgerWorld {
  const { submitEvent } = node
  Object.assign(node, {
    ledger: world.access,
    encodePayload: (type: string, json: unknown) => world.handlers.get(type).encodePayload(json),
    submitEvent: async (...given: Parameters<NodeDouble['submitEvent']>) => {
      const [request] = given
      const answer = await submitEvent(...given)
      if (!('type' in request)) return answer
      const code = world.applyPayload(operatorKey(0), request.type, request.payload) as ErrorCode | ''
      if (code === '') return answer
      throw new BlyanError('EVENT_REFUSED', { eventId: answer.eventId, sequence: answer.sequence ?? 0, code })
    }
  })
  return world
}
