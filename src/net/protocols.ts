/** Protocol names. A change of a wire format is a new number; both are spoken while nodes move over. */
export const protocolIds = {
  hello: '/blyan/hello/1',
  feed: '/blyan/feed/1',
  vertices: '/blyan/vertices/1',
  commits: '/blyan/commits/1',
  relay: '/blyan/relay/1',
  witness: '/blyan/witness/1',
  snapshot: '/blyan/snapshot/1',
  experts: '/blyan/experts/1',
  holdings: '/blyan/holdings/1',
  hotExperts: '/blyan/hot/1',
  tabs: '/blyan/tabs/1'
} as const

export const networkLimits = Object.freeze({
  helloBytesMax: 16 * 1024,
  requestBytesMax: 16 * 1024,
  responseBytesMax: 8 * 1024 * 1024,
  feedFrameBytesMax: 2 * 1024 * 1024,
  feedQueueBytesMax: 32 * 1024 * 1024,
  gossipBytesMax: 256 * 1024,
  channelFrameBytesMax: 16 * 1024 * 1024,
  channelQueueBytesMax: 32 * 1024 * 1024,
  channelsPerPeerMax: 4,
  /** What is queued when a channel is closed has this long to go out. */
  channelCloseMs: 2000,
  inboundStreamsPerPeerMax: 32,
  /** Of all protocols together, also those that are still being named. */
  inboundStreamsPerConnectionMax: 256,
  /** What a peer may have on its way to us on one stream; more is not read until we have taken it. */
  streamWindowBytesMax: 4 * 1024 * 1024,
  helloTimeoutMs: 5000,
  admissionWaitMs: 5000,
  answerTimeoutMs: 30_000,
  reopenFeedMs: 500,
  banMs: 10 * 60 * 1000,
  bansMax: 16_384,
  /** At this many penalty points a peer is cut off for `banMs`; one point is forgiven every 10 s. */
  penaltyPointsMax: 100,
  knownPeersMax: 256,
  redialMsMin: 500,
  redialMsMax: 30_000,
  /** Who has said nothing for this long is pinged, and given up when it does not answer. */
  keepAliveSilentMs: 70_000,
  keepAliveRoundMs: 5000,
  pingTimeoutMs: 10_000,
  roundTripEveryMs: 10 * 60 * 1000,
  /** Connections beyond the peers: validators that always have room, and those that have not said hello yet. */
  connectionsReserve: 256 + 16
})

/** What one peer may ask of us. Over it a peer waits, it is not refused: honest peers that catch up come close. */
export const peerAllowances = Object.freeze({
  requests: { perSecond: 200, burst: 400 },
  answerBytes: { perSecond: 32 * 1024 * 1024, burst: 64 * 1024 * 1024 },
  feedFrames: { perSecond: 2000, burst: 4000 },
  feedBytes: { perSecond: 32 * 1024 * 1024, burst: 64 * 1024 * 1024 },
  channelFrames: { perSecond: 5000, burst: 10_000 },
  channelBytes: { perSecond: 64 * 1024 * 1024, burst: 128 * 1024 * 1024 },
  /** Over these two it is penalised: nobody honest comes close. */
  gossip: { perSecond: 500, burst: 2000 },
  hellos: { perSecond: 1, burst: 20 }
})
