/** What it takes until an expert of 400 MB computes: ours against a bare mmap, and against reading and copying it. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createEngine, type PartFile } from '../../src/experts/index.ts'
import { cost, type Options, type Result, rate } from '../report.ts'
import { withTemporaryFolder } from '../temporary-folder.ts'
import { benchArchitecture, writeRandomParts } from './random-model.ts'

const silent = { debug: () => {}, info: () => {}, warn: () => {} }
const name = 'layer0.expert0'
/** Three fp32 matrices of 4096 x 8192: 400 MB. */
const architecture = benchArchitecture({
  precision: 'fp32',
  width: 4096,
  heads: 32,
  headWidth: 128,
  keyValueHeads: 8,
  expertWidth: 8192,
  layers: 1,
  experts: 1,
  expertsPerToken: 1
})
/** Maps the file and touches each of its pages, once. */
const bareMapping = `
import mmap, sys, time
with open(sys.argv[1], 'rb') as file:
    begun = time.perf_counter()
    mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    memoryview(mapped)[::4096].tobytes()
    print((time.perf_counter() - begun) * 1000)
`

export function measureMapping({ quick, note }: Options): Promise<Result[]> {
  return withTemporaryFolder(async folder => {
    note('writing an expert of 400 MB')
    const [part] = writeRandomParts(folder, architecture, part => part === name)
    const engine = createEngine({ tensorFolder: folder, threads: 1, logger: silent })
    const rows = new Float32Array(architecture.width).fill(0.01)
    const first: number[] = []
    const warm: number[] = []
    const bare: number[] = []
    const copied: number[] = []
    const run = async (): Promise<number> => {
      const startedAtMs = performance.now()
      await engine.runExpert({ model: 'bench', name, tokens: rows })
      return performance.now() - startedAtMs
    }
    try {
      await engine.start()
      for (let i = 0; i < (quick ? 5 : 11); i++) {
        note(`mapping an expert, run ${i + 1}`)
        copied.push(readAndCopy(part!))
        const startedAtMs = performance.now()
        await engine.loadModel({ model: 'bench', architecture, parts: [part!], memoryBytesMax: 0 })
        await run()
        first.push(performance.now() - startedAtMs)
        warm.push(await run(), await run(), await run())
        await engine.release({ model: 'bench' })
        bare.push(...mapBare(part!))
      }
    } finally {
      await engine.stop()
    }
    // What the same row takes once the expert is mapped is computing. The best runs count: others share the machine.
    const ours = Math.min(...first) - Math.min(...warm)
    const limits = bare.length === 0 ? [] : [Math.min(...bare)]
    return [
      cost('experts.map', 'ms', [ours], limits, 'mmap of the same file by Python, each page touched'),
      rate(
        'experts.map.againstCopy',
        'times as fast',
        [Math.min(...copied) / ours],
        [10],
        'reading and copying the file'
      )
    ]
  })
}

function readAndCopy({ path, dataOffsetBytes }: PartFile): number {
  const startedAtMs = performance.now()
  const data = Float32Array.from(new Float32Array(readFileSync(path).buffer, dataOffsetBytes))
  const elapsedMs = performance.now() - startedAtMs
  if (data.length === 0) throw new Error('nothing was read')
  return elapsedMs
}

/** Nothing where there is no Python. */
function mapBare({ path }: PartFile): number[] {
  try {
    return [Number(execFileSync('python3', ['-c', bareMapping, path], { stdio: ['ignore', 'pipe', 'ignore'] }))]
  } catch {
    return []
  }
}
