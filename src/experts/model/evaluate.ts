import { createKeyValueCache, forwardHidden, forwardLogits, type ModelRunner } from './forward.ts'
import { crossEntropyNats } from './sampling.ts'

export type WindowLoss = {
  /** Sum over the scored bytes, in nats. */
  readonly lossNats: number
  readonly scoredBytes: number
}

/**
 * Scores `bytes` window by window of `contextTokens`: how well each byte but a window's first is predicted from those
 * before it in the window. Yields after each window, so that a caller can stop or let others in.
 */
export async function* evaluateWindows(runner: ModelRunner, bytes: Uint8Array): AsyncGenerator<WindowLoss> {
  const { architecture } = runner
  for (let start = 0; start + 1 < bytes.length; start += architecture.contextTokens) {
    const window = bytes.subarray(start, start + architecture.contextTokens)
    const scoredBytes = window.length - 1
    const cache = createKeyValueCache(architecture, scoredBytes)
    const hidden = await forwardHidden(runner, window.subarray(0, scoredBytes), cache)
    const logits = await forwardLogits(runner, hidden)
    let lossNats = 0
    for (let i = 0; i < scoredBytes; i++) {
      const row = logits.subarray(i * architecture.vocabulary, (i + 1) * architecture.vocabulary)
      lossNats += crossEntropyNats(row, window[i + 1]!)
    }
    yield { lossNats, scoredBytes }
  }
}
