/** Protocol names. A change of a wire format is a new number; both are spoken while nodes move over. */
export const protocolIds = {
  hello: '/blyan/hello/1',
  feed: '/blyan/feed/1',
  vertices: '/blyan/vertices/1',
  commits: '/blyan/commits/1',
  relay: '/blyan/relay/1'
} as const

export const networkLimits = Object.freeze({
  helloBytesMax: 16 * 1024,
  requestBytesMax: 16 * 1024,
  responseBytesMax: 8 * 1024 * 1024,
  feedFrameBytesMax: 2 * 1024 * 1024,
  feedQueueBytesMax: 32 * 1024 * 1024,
  gossipBytesMax: 256 * 1024,
  inboundStreamsPerPeerMax: 32,
  helloTimeoutMs: 5000,
  admissionWaitMs: 5000,
  answerTimeoutMs: 30_000,
  banMs: 10 * 60 * 1000,
  /** At this many penalty points a peer is cut off for `banMs`; one point is forgiven every 10 s. */
  penaltyPointsMax: 100,
  knownPeersMax: 256,
  redialMsMin: 500,
  redialMsMax: 30_000
})
