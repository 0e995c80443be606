import { type ChildProcess, fork, spawnSync } from 'node:child_process'
import { webcrypto } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { generateSigningKey, sha256, verifySignature } from '../src/codec/index.ts'

/** What this machine does at best, measured in the same run as what it is held against. */

const inFlight = 4 * availableParallelism()
const keyCount = 64

/** Ed25519 verifications a second on the thread pool, all cores. */
export async function verificationsPerSecond(durationMs: number): Promise<number> {
  const message = new Uint8Array(96).fill(7)
  const signed = Array.from({ length: keyCount }, () => {
    const key = generateSigningKey()
    return { publicKey: key.publicKey, signature: key.sign(message) }
  })
  let done = 0
  const startedAtMs = performance.now()
  const work = async (): Promise<void> => {
    while (performance.now() - startedAtMs < durationMs) {
      const { publicKey, signature } = signed[done % keyCount]!
      if (!(await verifySignature(publicKey, message, signature))) throw new Error('a right signature was refused')
      done++
    }
  }
  await Promise.all(Array.from({ length: inFlight }, work))
  return (done * 1000) / (performance.now() - startedAtMs)
}

/** Milliseconds to hash these pieces one after the other on this thread. */
export function hashMs(pieces: readonly Uint8Array[]): number {
  const startedAtMs = performance.now()
  for (const piece of pieces) sha256(piece)
  return performance.now() - startedAtMs
}

/** Milliseconds to hash `bytes` piece by piece on the thread pool, all cores. */
export async function hashOnAllCoresMs(bytes: Uint8Array<ArrayBuffer>, pieceBytes: number): Promise<number> {
  const startedAtMs = performance.now()
  let next = 0
  const work = async (): Promise<void> => {
    while (next < bytes.length) {
      const start = next
      next += pieceBytes
      await webcrypto.subtle.digest('SHA-256', bytes.subarray(start, start + pieceBytes))
    }
  }
  await Promise.all(Array.from({ length: inFlight }, work))
  return performance.now() - startedAtMs
}

const mapProgram = `
import mmap, sys, time
with open(sys.argv[1], 'rb') as file:
    started = time.perf_counter()
    mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    touched = mapped[::4096]
    print((time.perf_counter() - started) * 1000)
`

/** Milliseconds to mmap a file and touch each of its pages; undefined without Python, since Node cannot mmap. */
export function bareMapMs(file: string): number | undefined {
  const { stdout, status } = spawnSync('python3', ['-c', mapProgram, file], { encoding: 'utf8', timeout: 30_000 })
  const elapsedMs = Number.parseFloat(stdout)
  return status === 0 && Number.isFinite(elapsedMs) ? elapsedMs : undefined
}

/** Milliseconds to send `sizeBytes` over one libp2p stream (TCP, Noise, Yamux) from one process to another. */
export async function bareStreamMs(sizeBytes: number): Promise<number> {
  const program = fileURLToPath(new URL('./bare-stream.ts', import.meta.url))
  const receiver = fork(program, ['receive'], { stdio: 'inherit' })
  let sender: ChildProcess | undefined
  try {
    const address = (await answerOf(receiver)) as string
    sender = fork(program, ['send', address, String(sizeBytes)], { stdio: 'inherit' })
    return (await answerOf(sender)) as number
  } finally {
    for (const child of [receiver, sender]) child?.kill('SIGKILL')
  }
}

function answerOf(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    child.once('message', resolve)
    child.once('error', reject)
    child.once('exit', code => reject(new Error(`the bare stream process ended with ${code}`)))
  })
}
