import { BlyanError } from '../../errors/index.ts'
import { errorToFrame } from './engine-protocol.ts'
import type { CallExperts, RemoteExpertCall } from './engine-types.ts'
import type { Frame } from './frame-channel.ts'
import { flagField, integerField, integersField, textField, textsField } from './frame-fields.ts'
import { cut, packResults, unpackResults, wordsField } from './packed-rows.ts'

/** The daemon's end of calls that the engine process makes for experts that are elsewhere. */
export interface CallDesk {
  /** A call, or its end; `send` brings the answer back. Throws ENGINE_REQUEST_INVALID for what is neither. */
  receive(frame: Frame, send: (frame: Frame) => void): void
  /** The process that asked has ended. */
  abandon(): void
}

export type CallDeskNeeds = {
  readonly callExpertsOf: (model: string) => CallExperts | undefined
  readonly callsMax: number
}

export function createCallDesk(needs: CallDeskNeeds): CallDesk {
  return new OpenCallDesk(needs)
}

class OpenCallDesk implements CallDesk {
  readonly #needs: CallDeskNeeds
  readonly #open = new Map<number, AbortController>()

  constructor(needs: CallDeskNeeds) {
    this.#needs = needs
  }

  receive(frame: Frame, send: (frame: Frame) => void): void {
    const call = integerField(frame, 'call')
    if (frame.cancelled === true) {
      this.#open.get(call)?.abort(new BlyanError('ENGINE_REQUEST_INVALID', { reason: 'it was cancelled' }))
      this.#open.delete(call)
      return
    }
    const controller = new AbortController()
    const asked = readCall(frame, controller.signal)
    this.#open.set(call, controller)
    void this.#answer(asked).then(answer => {
      // Cancelled, or the process that asked is gone.
      if (this.#open.get(call) !== controller) return
      this.#open.delete(call)
      send({ ...answer, id: 0, operation: 'answerCall', call })
    })
  }

  abandon(): void {
    const open = [...this.#open.values()]
    this.#open.clear()
    for (const controller of open) controller.abort(new BlyanError('ENGINE_LOST', { reason: 'it ended' }))
  }

  async #answer(call: RemoteExpertCall): Promise<Frame> {
    try {
      const callExperts = this.#needs.callExpertsOf(call.model)
      if (callExperts === undefined) throw new BlyanError('MODEL_NOT_LOADED', { model: call.model })
      if (this.#open.size > this.#needs.callsMax) throw new BlyanError('ENGINE_BUSY', { openRequests: this.#open.size })
      const results = await callExperts(call)
      const fits = call.loads.every(({ rows }, i) => results[i]?.length === rows.length)
      if (results.length !== call.loads.length || !fits) throw new Error('results are not of the size of their rows')
      return packResults(results)
    } catch (error) {
      return { error: errorToFrame(`call experts of layer ${call.layer}`, error) }
    }
  }
}

function readCall(frame: Frame, signal: AbortSignal): RemoteExpertCall {
  const experts = integersField(frame, 'experts')
  const rows = unpackResults(frame)
  const requestOfRow = wordsField(frame, 'requestOfRow')
  const counts = integersField(frame, 'rowCounts')
  const owners = cut(requestOfRow, counts)
  return {
    model: textField(frame, 'model'),
    layer: integerField(frame, 'layer'),
    loads: experts.map((expert, i) => {
      return { expert, rows: rows[i]!, requestOfRow: owners[i]! }
    }),
    requests: textsField(frame, 'requests'),
    isPrompt: flagField(frame, 'isPrompt'),
    signal
  }
}
