import { isAbsolute, join } from 'node:path'
import { type Genesis, parseGenesis } from '../dag/index.ts'
import { BlyanError } from '../errors/index.ts'
import { readSmallFile } from './durable-file.ts'
import { pactDigest } from './genesis-pact.ts'

const genesisFileBytesMax = 64 * 1024 * 1024

/** The genesis of a data folder. Throws GENESIS_MISSING, GENESIS_INVALID, GENESIS_PACT_DIFFERS. */
export async function readGenesis(root: string, name: string): Promise<Genesis> {
  const file = isAbsolute(name) ? name : join(root, name)
  const text = await readSmallFile(file, genesisFileBytesMax)
  if (text === null) throw new BlyanError('GENESIS_MISSING', { path: file, dataFolder: root })
  const genesis = parseGenesis(text)
  const ours = await pactDigest()
  if (genesis.file.pact !== ours)
    throw new BlyanError('GENESIS_PACT_DIFFERS', { ours: ours.slice(0, 16), theirs: genesis.file.pact.slice(0, 16) })
  return genesis
}
