import type { CorpusShards, drawFromCorpora, SequenceSource } from '../datasets/index.ts'

export type CorpusDraw = ReturnType<typeof drawFromCorpora>[number]

/** Of a corpus of which so many draws could not be had nothing is tried any more. */
const strikesMax = 2
/** Waits become shorter, or a list of names that nobody has would be waited for one by one. */
const waitMsMin = 50

/**
 * Draws until all that is drawn is here: who publishes text and goes away, or says that it is longer than it is, must not
 * stop others. In all it waits little more than twice as long as `timeoutMs`. Throws what `draw` does where nothing is left.
 */
export async function drawAtHand(given: {
  readonly sequences: Pick<SequenceSource, 'ensure'>
  readonly corpora: readonly CorpusShards[]
  readonly timeoutMs: number
  readonly draw: (corpora: readonly CorpusShards[]) => readonly CorpusDraw[]
}): Promise<readonly CorpusDraw[]> {
  const { sequences, draw } = given
  const strikes = new Map<string, number>()
  let { corpora, timeoutMs } = given
  for (;;) {
    const draws = draw(corpora)
    const sizes = new Map(corpora.flatMap(({ shards }) => shards.map(({ cid, bytes }) => [cid, bytes] as const)))
    const drawn = [...new Set(draws.map(({ shard }) => shard))].map(cid => ({ cid, bytes: sizes.get(cid)! }))
    const gone = await missingOf(sequences, drawn, timeoutMs)
    if (gone.size === 0) return draws
    corpora = corpora.flatMap(corpus => {
      const shards = corpus.shards.filter(({ cid }) => !gone.has(cid))
      if (shards.length === corpus.shards.length) return [corpus]
      const count = (strikes.get(corpus.account) ?? 0) + 1
      strikes.set(corpus.account, count)
      return count < strikesMax ? [{ ...corpus, shards }] : []
    })
    timeoutMs = Math.max(waitMsMin, timeoutMs / 2)
  }
}

/** Shards that cannot be had in time, or are not what the chain says. */
async function missingOf(
  sequences: Pick<SequenceSource, 'ensure'>,
  shards: readonly { readonly cid: string; readonly bytes: number }[],
  timeoutMs: number
): Promise<ReadonlySet<string>> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<false>(resolve => {
    timer = setTimeout(resolve, timeoutMs, false)
  })
  const here = await Promise.all(
    shards.map(({ cid, bytes }) =>
      Promise.race([
        late,
        sequences.ensure(cid, bytes).then(
          () => true,
          () => false
        )
      ])
    )
  )
  clearTimeout(timer)
  return new Set(shards.flatMap(({ cid }, index) => (here[index] ? [] : [cid])))
}
