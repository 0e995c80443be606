/**
 * Writes one of the tests' tiny models as a Hugging Face folder, to import it or to load it elsewhere.
 * Usage: node scripts/make-tiny-checkpoint.ts FOLDER FAMILY [v4|v5] [experts|fused] [FILES] [fp32|bf16|fp16]
 */
import { type CheckpointOptions, writeCheckpoint } from '../test/models/tiny-checkpoint.ts'
import { families, tinyModel } from '../test/models/tiny-model.ts'

const [folder, familyName, config = 'v5', layout = 'experts', files = '1', type = 'fp32'] = process.argv.slice(2)
const family = families.find(name => name === familyName)
if (folder === undefined || family === undefined) {
  process.stderr.write(`give a folder and one of ${families.join(', ')}\n`)
  process.exit(2)
}
await writeCheckpoint(folder, tinyModel(family), { config, layout, files: Number(files), type } as CheckpointOptions)
