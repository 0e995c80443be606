import type { EventHandler, StateView } from '../../dag/index.ts'
import { BlyanError } from '../../errors/index.ts'

/** Set while the network is paused. */
export type Pause = { readonly proposal: number; readonly untilMs: number }

const pauseKey = 'network/paused'

export function pauseOf(state: StateView): Pause | undefined {
  return state.get(pauseKey) as Pause | undefined
}

export function writePause(state: StateView, pause: Pause | undefined): void {
  if (pause === undefined) state.delete(pauseKey)
  else state.set(pauseKey, pause)
}

/**
 * Refuses events with NETWORK_PAUSED for as long as the validators have paused the network. Votes and evidence pass, or
 * nobody could end it or say why; so do the `duties` of those who keep the network alive.
 */
export function gated(handlers: readonly EventHandler[], duties: readonly EventHandler[] = []): EventHandler[] {
  return [...handlers.map(handler => (passes(handler.type) ? handler : gatedOne(handler))), ...duties]
}

/** A gifted node's heartbeat moves nothing but the time for which it is trusted to be there. */
function passes(type: string): boolean {
  return type.startsWith('proposal-') || type.startsWith('evidence') || type === 'gifted-heartbeat'
}

function gatedOne(handler: EventHandler): EventHandler {
  return {
    type: handler.type,
    purpose: handler.purpose,
    encodePayload: json => handler.encodePayload(json),
    describePayload: payload => handler.describePayload(payload),
    apply: input => {
      const pause = pauseOf(input.state)
      if (pause === undefined) return handler.apply(input)
      const { proposal, untilMs } = pause
      throw new BlyanError('NETWORK_PAUSED', { proposal, until: new Date(untilMs).toISOString() })
    }
  }
}
