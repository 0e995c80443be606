import type { Stream } from '@libp2p/interface'
import { BlyanError } from '../errors/index.ts'

/** Below this one copy is cheaper than a second envelope of the muxer and of Noise, and the window update it draws. */
const joinedBytesMax = 64 * 1024

/** Frames on a stream: a 4-byte big-endian length, then that many bytes. */
export async function writeFrame(stream: Stream, frame: Uint8Array): Promise<void> {
  const isJoined = frame.length <= joinedBytesMax
  const head = new Uint8Array(isJoined ? 4 + frame.length : 4)
  new DataView(head.buffer).setUint32(0, frame.length)
  if (isJoined) head.set(frame, 4)
  let isTaken = stream.send(head)
  if (!isJoined) isTaken = stream.send(frame)
  if (!isTaken) await drained(stream)
}

/** libp2p's `onDrain` waits only once in the life of a stream: it keeps the promise that the first drain fulfilled. */
async function drained(stream: Stream): Promise<void> {
  while (stream.writableNeedsDrain) {
    if (stream.status !== 'open') throw new Error('the stream ended')
    await new Promise<void>(resolve => {
      const go = (): void => {
        stream.removeEventListener('drain', go)
        stream.removeEventListener('close', go)
        resolve()
      }
      stream.addEventListener('drain', go)
      stream.addEventListener('close', go)
    })
  }
}

/**
 * The frames of a stream as they come; each is a buffer of its own. Throws FRAME_TOO_LARGE before reading the body of an
 * oversize frame, FRAME_TRUNCATED when the stream ends inside one.
 */
export async function* readFrames(stream: Stream, frameBytesMax: number): AsyncGenerator<Uint8Array> {
  const prefix = new Uint8Array(4)
  let prefixFilled = 0
  let frame: Uint8Array | undefined
  let filled = 0
  for await (const chunk of stream) {
    const bytes = chunk instanceof Uint8Array ? chunk : chunk.subarray()
    for (let offset = 0; offset < bytes.length; ) {
      if (frame === undefined) {
        const take = Math.min(4 - prefixFilled, bytes.length - offset)
        prefix.set(bytes.subarray(offset, offset + take), prefixFilled)
        prefixFilled += take
        offset += take
        if (prefixFilled < 4) continue
        const sizeBytes = new DataView(prefix.buffer).getUint32(0)
        if (sizeBytes > frameBytesMax) throw new BlyanError('FRAME_TOO_LARGE', { sizeBytes, frameBytesMax })
        frame = new Uint8Array(sizeBytes)
        filled = 0
        prefixFilled = 0
      }
      const take = Math.min(frame.length - filled, bytes.length - offset)
      frame.set(bytes.subarray(offset, offset + take), filled)
      filled += take
      offset += take
      if (filled < frame.length) continue
      yield frame
      frame = undefined
    }
  }
  if (frame !== undefined || prefixFilled > 0) throw new BlyanError('FRAME_TRUNCATED')
}

/** The only frame of a stream, or the first. Throws FRAME_TRUNCATED when there is none. */
export async function readFrame(stream: Stream, frameBytesMax: number): Promise<Uint8Array> {
  for await (const frame of readFrames(stream, frameBytesMax)) return frame
  throw new BlyanError('FRAME_TRUNCATED')
}
