import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Precision } from '../../src/experts/index.ts'
import { type Options, plain, type Result } from '../report.ts'
import { importedModel, withImportedModel } from './imported-model.ts'

const folder = fileURLToPath(new URL('../../test/vectors/tiny-trained/', import.meta.url))

/** How much a trained model loses on text it has not seen when its weights are int8, as a share of its fp32 loss. */
export async function measureInt8Loss({ note }: Options): Promise<Result> {
  note('a trained model in fp32 and in int8')
  // The model's tokens are bytes, and its special tokens follow them.
  const tokens = Uint32Array.from(await readFile(new URL(`file://${folder}text.txt`)))
  const lossOf = (precision: Precision): Promise<number> =>
    withImportedModel(folder, { precision, threads: 1 }, async engine => {
      const { lossNatsPerToken } = await engine.evaluateTokens({ model: importedModel, tokens })
      return lossNatsPerToken
    })
  const exact = await lossOf('fp32')
  return plain('experts.int8Loss', 'of the fp32 loss', [((await lossOf('int8')) - exact) / exact])
}
