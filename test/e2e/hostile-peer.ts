import { randomBytes } from 'node:crypto'
import type { TestContext } from 'node:test'
import { gossipsub, StrictNoSign } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import type { Connection, Stream } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { readFrame } from '../../src/net/framing.ts'
import { encodeHello } from '../../src/net/hello.ts'
import { protocolIds } from '../../src/net/protocols.ts'

export { randomBytes }

/** A program of somebody else: speaks libp2p rightly, and above it whatever it likes. Every one has a key of its own. */
export class HostilePeer {
  readonly host: Awaited<ReturnType<typeof hostileHost>>
  readonly #connection: Connection

  constructor(host: Awaited<ReturnType<typeof hostileHost>>, connection: Connection) {
    this.host = host
    this.#connection = connection
  }

  get isCutOff(): boolean {
    return this.#connection.status !== 'open'
  }

  stream(protocol: string): Promise<Stream> {
    return this.#connection.newStream(protocol, { signal: AbortSignal.timeout(5000) })
  }

  async hello(genesis: string): Promise<void> {
    const stream = await this.stream(protocolIds.hello)
    stream.send(
      framed(encodeHello({ genesis, version: '9.9.9', roles: ['x'], addresses: ['/not/an/address'], refusal: '' }))
    )
    await readFrame(stream, 1 << 20)
  }

  /** Dials once more; whether it gets in is for the test to see. */
  async dialAgain(address: string): Promise<void> {
    await this.host.dial(multiaddr(address)).catch(() => {})
  }

  /** A byte now and then, and the stream is dropped in the middle. */
  async drip(protocol: string, bytes: Uint8Array): Promise<void> {
    try {
      const stream = await this.stream(protocol)
      for (const byte of bytes) {
        stream.send(Uint8Array.of(byte))
        await new Promise(resolve => setTimeout(resolve, 20))
      }
      stream.abort(new Error('gone'))
    } catch {
      // Refused or cut off meanwhile.
    }
  }

  /** Sends what it is given until it is over or the other side has had enough. */
  async pour(protocol: string, pieces: Iterable<Uint8Array>): Promise<void> {
    try {
      const stream = await this.stream(protocol)
      for (const piece of pieces) {
        if (stream.status !== 'open') return
        if (!stream.send(piece)) await stream.onDrain({ signal: AbortSignal.timeout(5000) })
      }
    } catch {
      // Refused, reset or not read any more: what it hoped for.
    }
  }
}

export async function hostilePeer(t: TestContext, address: string): Promise<HostilePeer> {
  const host = await hostileHost()
  t.after(() => host.stop())
  return new HostilePeer(host, await host.dial(multiaddr(address)))
}

export function framed(bytes: Uint8Array, saidBytes = bytes.length): Uint8Array {
  const frame = new Uint8Array(4 + bytes.length)
  new DataView(frame.buffer).setUint32(0, saidBytes)
  frame.set(bytes, 4)
  return frame
}

function hostileHost() {
  return createLibp2p({
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionGater: { denyDialMultiaddr: () => false },
    services: {
      identify: identify(),
      ping: ping(),
      pubsub: gossipsub({ globalSignaturePolicy: StrictNoSign, allowPublishToZeroTopicPeers: true })
    }
  })
}
