import { BlyanError } from '../../errors/index.ts'
import { errorFromFrame } from './engine-protocol.ts'
import type { RemoteExpertCall } from './engine-types.ts'
import type { Frame } from './frame-channel.ts'
import { asMap, integerField } from './frame-fields.ts'
import { packResults, unpackResults, wordBytes } from './packed-rows.ts'

/** The engine process's end of calls for experts that are elsewhere: the daemon answers them. */
export interface RemoteCalls {
  /** Rejects with the code that the daemon gives, or with the reason of the call's aborted signal. */
  call(call: RemoteExpertCall): Promise<readonly Float32Array[]>
  /** An answer of the daemon; one to a call that is over is dropped. */
  receive(frame: Frame): void
}

export function createRemoteCalls(send: (frame: Frame) => void): RemoteCalls {
  return new NumberedCalls(send)
}

type OpenCall = { readonly call: RemoteExpertCall; readonly settle: (outcome: Float32Array[] | Error) => void }

class NumberedCalls implements RemoteCalls {
  readonly #send: (frame: Frame) => void
  readonly #open = new Map<number, OpenCall>()
  #next = 1

  constructor(send: (frame: Frame) => void) {
    this.#send = send
  }

  call(call: RemoteExpertCall): Promise<readonly Float32Array[]> {
    return new Promise((resolve, reject) => {
      call.signal.throwIfAborted()
      const number = this.#next++
      this.#send({ call: number, ...callFields(call) })
      const abort = (): void => {
        this.#send({ call: number, cancelled: true })
        this.#open.get(number)?.settle(call.signal.reason)
      }
      call.signal.addEventListener('abort', abort, { once: true })
      this.#open.set(number, {
        call,
        settle: outcome => {
          this.#open.delete(number)
          call.signal.removeEventListener('abort', abort)
          if (outcome instanceof Error) reject(outcome)
          else resolve(outcome)
        }
      })
    })
  }

  receive(frame: Frame): void {
    const open = this.#open.get(integerField(frame, 'call'))
    if (open === undefined) return
    const { call, settle } = open
    if (frame.error !== undefined) {
      settle(errorFromFrame(`call experts of layer ${call.layer}`, asMap(frame.error, 'error')))
      return
    }
    const results = unpackResults(frame)
    const fits =
      results.length === call.loads.length && call.loads.every(({ rows }, i) => rows.length === results[i]!.length)
    if (!fits) throw new BlyanError('ENGINE_REQUEST_INVALID', { reason: 'results are not of the size of their rows' })
    settle(results)
  }
}

function callFields(call: RemoteExpertCall): Frame {
  const requestOfRow = Uint32Array.from(call.loads.flatMap(load => [...load.requestOfRow]))
  return {
    model: call.model,
    layer: call.layer,
    experts: call.loads.map(load => load.expert),
    rowCounts: call.loads.map(load => load.requestOfRow.length),
    ...packResults(call.loads.map(load => load.rows)),
    requestOfRow: wordBytes(requestOfRow),
    requests: call.requests,
    isPrompt: call.isPrompt
  }
}
