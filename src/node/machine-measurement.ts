import { open, rm, statfs } from 'node:fs/promises'
import { availableParallelism, totalmem } from 'node:os'
import { join } from 'node:path'
import type { Resources } from '../ledger/index.ts'

/** What takes a while to find out, and changes rarely. */
export type MachineSpeed = { readonly megaflops: number; readonly diskWriteBytesPerSecond: number }

type Links = readonly { readonly latencyMs: number | null }[]

const slices = 24
const sliceMs = 4
const flopsPerTurn = 8
const turnsPerLook = 20_000
const fileBytes = 16 * 1024 * 1024
const chunkBytes = 1024 * 1024
const fileName = 'measure.tmp'

/** About 0.2 s: the best of short runs on one core times the cores, and a file written through to the disk. */
export async function measureSpeed(folder: string): Promise<MachineSpeed> {
  const perCore = await measureCore()
  return {
    megaflops: Math.floor(perCore * availableParallelism()),
    diskWriteBytesPerSecond: await measureDisk(folder)
  }
}

/** What the machine has now, with the speed that was measured before. */
export async function measureResources(folder: string, speed: MachineSpeed, peers: Links): Promise<Resources> {
  const { bavail, bsize } = await statfs(folder)
  const limit = process.constrainedMemory()
  const latencies = peers.map(peer => peer.latencyMs).filter(ms => ms !== null)
  const median = latencies.sort((one, other) => one - other)[Math.floor(latencies.length / 2)]
  return {
    cores: availableParallelism(),
    megaflops: speed.megaflops,
    memoryBytes: limit > 0 ? Math.min(limit, totalmem()) : totalmem(),
    diskFreeBytes: Math.floor(bavail * bsize),
    diskWriteBytesPerSecond: speed.diskWriteBytesPerSecond,
    peers: peers.length,
    roundTripMs: median === undefined ? null : Math.ceil(median)
  }
}

/** Million operations a second. In slices, so that the node goes on with its work in between. */
async function measureCore(): Promise<number> {
  let best = 0
  for (let slice = 0; slice < slices; slice++) {
    best = Math.max(best, runSlice())
    await new Promise(resolve => setImmediate(resolve))
  }
  return best
}

function runSlice(): number {
  const startedAtMs = performance.now()
  let [a, b, c, d] = [1, 2, 3, 4]
  let turns = 0
  let elapsedMs = 0
  do {
    for (let turn = 0; turn < turnsPerLook; turn++) {
      a = a * 0.999 + 0.1
      b = b * 0.998 + 0.2
      c = c * 0.997 + 0.3
      d = d * 0.996 + 0.4
    }
    turns += turnsPerLook
    elapsedMs = performance.now() - startedAtMs
  } while (elapsedMs < sliceMs)
  // Whoever compiles this must believe that the sums are needed.
  if (a + b + c + d < 0) throw new Error('unreachable: all terms are above zero')
  return (turns * flopsPerTurn) / (elapsedMs * 1000)
}

async function measureDisk(folder: string): Promise<number> {
  const path = join(folder, fileName)
  const chunk = Buffer.alloc(chunkBytes, 0x5a)
  const file = await open(path, 'w', 0o600)
  try {
    const startedAtMs = performance.now()
    for (let written = 0; written < fileBytes; written += chunkBytes) await file.write(chunk)
    await file.sync()
    return Math.floor((fileBytes * 1000) / Math.max(1, performance.now() - startedAtMs))
  } finally {
    await file.close()
    await rm(path, { force: true })
  }
}
