import { forwardHidden, forwardLogits, type ModelRunner } from './forward.ts'
import { createKeyValueCache } from './key-value-cache.ts'
import type { TokenChooser } from './sampling.ts'

/**
 * Continues `prompt` (at least one byte) by up to `tokensMax` bytes, yielding each as soon as it is chosen.
 * When the context is full, the newest half of it is read again from position 0 and the answer goes on from there.
 */
export async function* generateBytes(
  runner: ModelRunner,
  prompt: Uint8Array,
  tokensMax: number,
  choose: TokenChooser
): AsyncGenerator<number> {
  const { contextTokens, width } = runner.shape
  const rowsMax = Math.min(contextTokens, prompt.length + tokensMax)
  let cache = createKeyValueCache(runner.shape, rowsMax)
  let seen = prompt.subarray(-contextTokens)
  let next = seen
  for (let made = 0; made < tokensMax; made++) {
    if (cache.rows + next.length > rowsMax) {
      next = seen.subarray(-Math.ceil(contextTokens / 2))
      cache = createKeyValueCache(runner.shape, rowsMax)
    }
    const hidden = await forwardHidden(runner, next, cache)
    const byte = choose(await forwardLogits(runner, hidden.slice(-width)))
    yield byte
    next = Uint8Array.of(byte)
    seen = Uint8Array.from([...seen.subarray(1 - contextTokens), byte])
  }
}
