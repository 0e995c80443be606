import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { BlyanError } from '../errors/index.ts'
import { readInput } from './context.ts'

const genesisBytesMax = 64 << 20
const comesWithUs = fileURLToPath(new URL('../../genesis/', import.meta.url))

/** The genesis file that a person named, or that of a network which comes with this version; null for neither. */
export async function genesisFor(input: {
  network?: string
  file?: string
}): Promise<{ text: string; from: string } | null> {
  if (input.file !== undefined) {
    const text = Buffer.from(await readInput(input.file, 'the genesis file', genesisBytesMax)).toString('utf8')
    return { text: checkedJson(text, input.file), from: input.file }
  }
  if (input.network === undefined) return null
  const names = (await readdir(comesWithUs).catch(() => []))
    .filter(name => name.endsWith('.json'))
    .map(name => name.slice(0, -5))
  if (!names.includes(input.network)) {
    throw new BlyanError('NETWORK_UNKNOWN', { network: input.network.slice(0, 40), known: names.join(', ') || 'none' })
  }
  return { text: await readFile(`${comesWithUs}${input.network}.json`, 'utf8'), from: `network ${input.network}` }
}

function checkedJson(text: string, path: string): string {
  try {
    JSON.parse(text)
    return text
  } catch (error) {
    throw new BlyanError(
      'FILE_UNREADABLE',
      { path, reason: 'a genesis file is JSON, and this is not' },
      { cause: error }
    )
  }
}
