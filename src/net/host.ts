import { gossipsub, StrictNoSign } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import { sha256 } from '../codec/index.ts'
import { BlyanError } from '../errors/index.ts'
import { privateKeyOfSecret } from './identity.ts'
import { networkLimits } from './protocols.ts'

export type HostInput = {
  /** Ed25519 seed of the node key, 32 bytes. */
  readonly secret: Uint8Array
  readonly listen: readonly string[]
  readonly announce: readonly string[]
  readonly peersMax: number
  readonly version: string
}

export type Host = Awaited<ReturnType<typeof createHost>>

/** libp2p over TCP, Noise and Yamux, with gossip; nothing is built in that dials or asks anybody by itself. */
export async function createHost(input: HostInput, isBanned: (peerId: string) => boolean) {
  return createLibp2p({
    start: false,
    privateKey: await privateKeyOfSecret(input.secret),
    addresses: { listen: [...input.listen], announce: [...input.announce] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [
      yamux({
        // Its answer sizes the windows; who is alive is for KeepAlive to see, which costs a quiet link nothing.
        keepAliveInterval: networkLimits.roundTripEveryMs,
        maxInboundStreams: networkLimits.inboundStreamsPerConnectionMax,
        streamOptions: {
          maxStreamWindowSize: networkLimits.streamWindowBytesMax,
          maxReadBufferLength: 2 * networkLimits.streamWindowBytesMax
        }
      })
    ],
    connectionManager: {
      maxConnections: input.peersMax + networkLimits.connectionsReserve,
      reconnectRetries: 0,
      inboundConnectionThreshold: 50
    },
    connectionMonitor: { enabled: false },
    connectionGater: {
      denyInboundEncryptedConnection: peerId => isBanned(peerId.toString()),
      denyDialPeer: peerId => isBanned(peerId.toString()),
      // The default refuses private addresses; home networks and networks on one machine are what people run.
      denyDialMultiaddr: () => false
    },
    nodeInfo: { name: 'blyan-node', version: input.version },
    services: {
      identify: identify(),
      ping: ping(),
      pubsub: gossipsub({
        globalSignaturePolicy: StrictNoSign,
        emitSelf: false,
        fallbackToFloodsub: false,
        doPX: false,
        allowPublishToZeroTopicPeers: true,
        msgIdFn: message => sha256(message.data),
        // Many nodes of one machine or one home are no fault; what is, PenaltyBook counts.
        scoreParams: { IPColocationFactorWeight: 0 },
        maxInboundDataLength: 4 * networkLimits.gossipBytesMax
      })
    }
  })
}

/** LISTEN_ADDRESS_TAKEN for what an operator can mend; anything else as it was. */
export function listenError(error: unknown, listen: readonly string[]): unknown {
  const text =
    error instanceof Error
      ? `${error.message} ${String((error as { cause?: unknown }).cause ?? '')} ${JSON.stringify((error as { errors?: unknown }).errors ?? '')}`
      : String(error)
  return /EADDRINUSE|EACCES|EADDRNOTAVAIL|could not listen|UnsupportedListen|No .*listen/i.test(text)
    ? new BlyanError('LISTEN_ADDRESS_TAKEN', { addresses: listen.join(', ') }, { cause: error })
    : error
}
