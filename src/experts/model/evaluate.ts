import { forwardHidden, forwardLogits, type ModelRunner } from './forward.ts'
import { createKeyValueCache } from './key-value-cache.ts'
import { crossEntropyNats } from './sampling.ts'

export type WindowLoss = {
  /** Sum over the scored tokens, in nats. */
  readonly lossNats: number
  readonly scoredTokens: number
}

const windowTokensMax = 1024
/** Rows that go through the layers at once; others get their turn between. */
const stepTokensMax = 256
/** Bounds the logits that are in memory at once, 16 MB. */
const logitsMax = 4 * 1024 * 1024

/**
 * Scores `tokens` (bytes where the vocabulary is bytes) window by window of `contextTokens`, 1024 at most: how well each token but a
 * window's first is predicted from those before it in the window. Yields after each window, so that a caller can stop.
 */
export async function* evaluateWindows(
  runner: ModelRunner,
  tokens: Uint8Array | Uint32Array
): AsyncGenerator<WindowLoss> {
  const windowTokens = Math.min(runner.shape.contextTokens, windowTokensMax)
  for (let start = 0; start + 1 < tokens.length; start += windowTokens) {
    const window = tokens.subarray(start, start + windowTokens)
    yield { lossNats: await windowLossNats(runner, window), scoredTokens: window.length - 1 }
  }
}

async function windowLossNats(runner: ModelRunner, window: Uint8Array | Uint32Array): Promise<number> {
  const scored = window.length - 1
  const cache = createKeyValueCache(runner.shape, scored)
  let lossNats = 0
  for (let first = 0; first < scored; first += stepTokensMax) {
    const end = Math.min(first + stepTokensMax, scored)
    const hidden = await forwardHidden(runner, window.subarray(first, end), cache)
    lossNats += await rowsLossNats(runner, hidden, window.subarray(first + 1, end + 1))
  }
  return lossNats
}

async function rowsLossNats(
  runner: ModelRunner,
  hidden: Float32Array,
  targets: Uint8Array | Uint32Array
): Promise<number> {
  const { vocabulary, width } = runner.shape
  const rowsMax = Math.max(1, Math.floor(logitsMax / vocabulary))
  let lossNats = 0
  for (let first = 0; first < targets.length; first += rowsMax) {
    const end = Math.min(first + rowsMax, targets.length)
    const logits = await forwardLogits(runner, hidden.subarray(first * width, end * width))
    for (let i = first; i < end; i++) {
      const row = logits.subarray((i - first) * vocabulary, (i - first + 1) * vocabulary)
      lossNats += crossEntropyNats(row, targets[i]!)
    }
  }
  return lossNats
}
