import { availableParallelism } from 'node:os'
import { type Architecture, createEngine } from '../../src/experts/index.ts'
import { withTemporaryFolder } from '../temporary-folder.ts'
import { BenchModel } from './bench-model.ts'

const silent = { debug: () => {}, info: () => {}, warn: () => {} }

/** An engine on the processor, so that figures of two machines differ in time alone. */
export function withBenchModel<T>(architecture: Architecture, work: (model: BenchModel) => Promise<T>): Promise<T> {
  return withTemporaryFolder(async folder => {
    const threads = availableParallelism()
    const engine = createEngine({ tensorFolder: folder, threads, device: 'cpu', logger: silent })
    try {
      await engine.start()
      return await work(new BenchModel(engine, architecture, folder))
    } finally {
      await engine.stop()
    }
  })
}

export function percentAbove(value: number, baseline: number): number {
  return ((value - baseline) / baseline) * 100
}
