/** One side of the bare libp2p stream that transfers are held against: the stack of the node, and nothing on it. */
import { once } from 'node:events'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'

const protocol = '/blyan-bench/bare/1'
const chunkBytes = 256 * 1024

const [role, address, sizeText] = process.argv.slice(2)
const host = await createLibp2p({
  addresses: { listen: role === 'receive' ? ['/ip4/127.0.0.1/tcp/0'] : [] },
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  connectionGater: { denyDialMultiaddr: () => false }
})
if (role === 'receive') await receive()
else await send(address!, Number(sizeText))

/** Answers one byte once `sizeBytes`, the first eight bytes, have come. */
async function receive(): Promise<void> {
  await host.handle(protocol, async stream => {
    let expected = Number.NaN
    let received = 0
    for await (const chunk of stream) {
      if (Number.isNaN(expected)) expected = 8 + Number(Buffer.from(chunk.subarray(0, 8)).readBigUInt64BE())
      received += chunk.byteLength
      if (received >= expected) stream.send(Uint8Array.of(1))
    }
  })
  process.send!(host.getMultiaddrs()[0]!.toString())
}

async function send(to: string, sizeBytes: number): Promise<void> {
  const stream = await host.dialProtocol(multiaddr(to), protocol)
  const answered = once(stream, 'message')
  const startedAtMs = performance.now()
  const head = Buffer.alloc(8)
  head.writeBigUInt64BE(BigInt(sizeBytes))
  stream.send(head)
  const chunk = new Uint8Array(chunkBytes)
  for (let sent = 0; sent < sizeBytes; sent += chunkBytes) {
    if (!stream.send(chunk.subarray(0, Math.min(chunkBytes, sizeBytes - sent)))) await once(stream, 'drain')
  }
  await answered
  process.send!(performance.now() - startedAtMs)
}
