import type { ModelShape } from '../model/architecture.ts'
import type { Feeds } from '../model/forward.ts'
import { positionTables } from '../training/position-tables.ts'

/** What a training or scoring graph is fed besides its weights. */
export interface TokenFeeds {
  /** Of [n x (sequenceTokens + 1)] tokens: every token but the last of a row is read, every one but the first foretold. */
  of(tokens: Uint32Array): Feeds
}

export function createTokenFeeds(shape: ModelShape, sequenceTokens: number): TokenFeeds {
  const tables = positionTables(shape, sequenceTokens)
  return {
    of: tokens => {
      const sequences = tokens.length / (sequenceTokens + 1)
      const read = new BigInt64Array(sequences * sequenceTokens)
      const foretold = new BigInt64Array(sequences * sequenceTokens)
      for (let row = 0; row < sequences; row++) {
        const from = row * (sequenceTokens + 1)
        for (let i = 0; i < sequenceTokens; i++) {
          read[row * sequenceTokens + i] = BigInt(tokens[from + i]!)
          foretold[row * sequenceTokens + i] = BigInt(tokens[from + i + 1]!)
        }
      }
      const dimensions = [sequences, sequenceTokens]
      return { ...tables, tokens: { data: read, dimensions }, targets: { data: foretold, dimensions } }
    }
  }
}
