import { join } from 'node:path'
import { BlyanError } from '../../errors/index.ts'
import type { PartDescription } from '../model/part-layout.ts'
import { createExpertStreamer, type ExpertStreamer } from '../model/tile-streaming.ts'
import { openCompressedSource } from './compressed-part.ts'
import type { GraphSession } from './graph-session.ts'
import type { LocatedPart } from './part-file.ts'
import { type OpenTileKernel, openTileKernel } from './tile-kernel.ts'
import { openFileSource } from './tile-source.ts'

/** Experts that are larger than what one expert may take. They run one at a time, so that all together hold no more than one. */
export interface StreamingRoom {
  /** Opens an expert as a graph `tokens` -> `result`, entered once. Throws PART_FILE_INVALID for a part that is no expert. */
  open(expert: PartDescription | null, part: LocatedPart): Promise<GraphSession>
  /** Nothing may run any more. */
  release(): Promise<void>
}

export type StreamingRoomNeeds = {
  readonly tensorFolder: string
  readonly threads: number
  readonly width: number
  readonly expertMemoryBytesMax: number
}

export function createStreamingRoom(needs: StreamingRoomNeeds): StreamingRoom {
  return new OneAtATime(needs)
}

class OneAtATime implements StreamingRoom {
  readonly #needs: StreamingRoomNeeds
  #kernel: Promise<OpenTileKernel> | undefined
  #last: Promise<unknown> = Promise.resolve()

  constructor(needs: StreamingRoomNeeds) {
    this.#needs = needs
  }

  async open(expert: PartDescription | null, part: LocatedPart): Promise<GraphSession> {
    if (expert === null) {
      throw new BlyanError('PART_FILE_INVALID', { part: part.name, reason: 'only experts may be compressed' })
    }
    const { tensorFolder, width, threads, expertMemoryBytesMax: memoryBytesMax } = this.#needs
    this.#kernel ??= openTileKernel(threads)
    const kernel = await this.#kernel
    const file = { ...part, path: join(tensorFolder, part.location) }
    const source = part.compression === undefined ? await openFileSource(file) : await openCompressedSource(file)
    try {
      const streamer = createExpertStreamer({ part: expert, width, source, kernel, memoryBytesMax })
      return new StreamedExpert(streamer, run => this.#next(run))
    } catch (error) {
      await source.close()
      throw error
    }
  }

  async release(): Promise<void> {
    await this.#last
    await (await this.#kernel)?.release()
  }

  #next<Result>(run: () => Promise<Result>): Promise<Result> {
    const result = this.#last.then(run)
    this.#last = result.catch(() => {})
    return result
  }
}

class StreamedExpert implements GraphSession {
  readonly #streamer: ExpertStreamer
  readonly #inTurn: <Result>(run: () => Promise<Result>) => Promise<Result>
  #users = 1

  constructor(streamer: ExpertStreamer, inTurn: <Result>(run: () => Promise<Result>) => Promise<Result>) {
    this.#streamer = streamer
    this.#inTurn = inTurn
  }

  enter(): void {
    this.#users++
  }

  async leave(): Promise<void> {
    this.#users--
    if (this.#users === 0) await this.#streamer.close()
  }

  async run(feeds: Parameters<GraphSession['run']>[0]): Promise<Record<string, Float32Array>> {
    const tokens = feeds.tokens!.data as Float32Array
    return { result: await this.#inTurn(() => this.#streamer.run(tokens)) }
  }
}
