import { bytesToHex, digestOfCid, hexToBytes, parseCid } from '../codec/index.ts'
import { type ExecutedEvent, eventId, type SignedEvent } from '../dag/index.ts'
import { BlyanError, type ErrorCode, errorTable } from '../errors/index.ts'
import type { Finality, SubmittedEvent } from './blyan-node.ts'

/** The 32 bytes (hex) of an event id. Throws CID_INVALID. */
export function digestOfEventId(text: string): string {
  return bytesToHex(digestOfCid(parseCid(text)))
}

export function idText(event: SignedEvent): string {
  return eventId(hexToBytes(event.digest)!).toString()
}

/** What a submitter is told of an event that was taken in. */
export function submitted(
  event: SignedEvent,
  executed: { readonly sequence: number; readonly block: string | null } | undefined,
  finality: Finality,
  startedAtMs: number,
  missing: readonly string[] = []
): SubmittedEvent {
  return {
    eventId: idText(event),
    final: finality === 'final',
    finality,
    sequence: executed?.sequence ?? null,
    block: executed?.block ?? null,
    missing,
    elapsedMs: performance.now() - startedAtMs
  }
}

/** The event has its place and changed nothing. */
export function refusalError(executed: ExecutedEvent): BlyanError {
  const code = executed.refusal in errorTable ? (executed.refusal as ErrorCode) : 'INTERNAL'
  return new BlyanError('EVENT_REFUSED', { eventId: idText(executed.event), sequence: executed.sequence, code })
}
