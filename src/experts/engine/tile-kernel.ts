import { InferenceSession, Tensor } from 'onnxruntime-node'
import { tileGraphs } from '../model/tile-graphs.ts'
import type { TileKernel } from '../model/tile-streaming.ts'

/** Runs in the engine process only. One for all streamed experts: it keeps no weights. */
export interface OpenTileKernel extends TileKernel {
  release(): Promise<void>
}

type Name = keyof typeof tileGraphs

export async function openTileKernel(threads: number): Promise<OpenTileKernel> {
  const sessions = {} as Record<Name, InferenceSession>
  for (const name of Object.keys(tileGraphs) as Name[]) {
    sessions[name] = await InferenceSession.create(tileGraphs[name](), {
      executionProviders: ['cpu'],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      // Tiles come in many sizes; what is kept for one would be held beside the next.
      enableCpuMemArena: false,
      enableMemPattern: false,
      logSeverityLevel: 3,
      extra: { session: { 'intra_op.allow_spinning': '0' } }
    })
  }
  return new SessionTileKernel(sessions)
}

class SessionTileKernel implements OpenTileKernel {
  readonly #sessions: Readonly<Record<Name, InferenceSession>>

  constructor(sessions: Readonly<Record<Name, InferenceSession>>) {
    this.#sessions = sessions
  }

  async outIn(x: Float32Array, weights: Float32Array, inputs: number): Promise<Float32Array> {
    const dimensions = [weights.length / inputs, inputs]
    return (await this.#run('outIn', floats(x, inputs), new Tensor('float32', weights, dimensions))) as Float32Array
  }

  async inOut(x: Float32Array, weights: Float32Array, inputs: number): Promise<Float32Array> {
    const dimensions = [inputs, weights.length / inputs]
    return (await this.#run('inOut', floats(x, inputs), new Tensor('float32', weights, dimensions))) as Float32Array
  }

  async integers(x: Uint8Array, weights: Int8Array, inputs: number): Promise<Int32Array> {
    const left = new Tensor('uint8', x, [x.length / inputs, inputs])
    const right = new Tensor('int8', weights, [inputs, weights.length / inputs])
    return (await this.#run('integers', left, right)) as Int32Array
  }

  async activate(gated: Float32Array, raised: Float32Array): Promise<Float32Array> {
    const [left, right] = [gated, raised].map(values => new Tensor('float32', values, [values.length]))
    return (await this.#run('activate', left!, right!)) as Float32Array
  }

  async release(): Promise<void> {
    for (const session of Object.values(this.#sessions)) await session.release()
  }

  async #run(name: Name, x: Tensor, weights: Tensor): Promise<unknown> {
    return (await this.#sessions[name].run({ x, weights })).product!.data
  }
}

function floats(rows: Float32Array, width: number): Tensor {
  return new Tensor('float32', rows, [rows.length / width, width])
}
