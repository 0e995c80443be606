/**
 * The signed envelope that a participant submits. Its id is the CID of the unsigned envelope, its `hash` the SHA-256 in
 * that CID: it covers payload and metadata alike (seed 000, "Event Envelope").
 */
export type EventEnvelope = {
  readonly tenantId: string
  /** 1, 2, 3, ... for each author: gaps are not executed, replays are dropped. */
  readonly logicalClock: number
  readonly region: string
  readonly origin: string
  readonly createdAtMs: number
  readonly type: string
  readonly payload: Uint8Array
  /** Public key of the account, with its multicodec prefix. */
  readonly author: Uint8Array
}
