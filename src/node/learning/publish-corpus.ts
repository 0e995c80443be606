import type { BuiltCorpus } from '../../datasets/index.ts'
import { type LearningChain, readCorpus } from '../../learning/index.ts'

const licence = 'as the author says'

/** So that everybody knows what is trained on, and what nobody may train on. Does nothing where the chain knows it already. */
export async function publishCorpus(
  chain: Pick<LearningChain, 'state' | 'account' | 'submit'>,
  { name, training, heldOut }: Pick<BuiltCorpus, 'name' | 'training' | 'heldOut'>
): Promise<void> {
  if (readCorpus(chain.state, chain.account)?.name === name) return
  await chain.submit('corpus', {
    name,
    training: training.map(({ cid, bytes }) => ({ shard: cid, bytes })),
    heldOut: heldOut.map(({ cid, bytes }) => ({ shard: cid, bytes })),
    licence
  })
}
