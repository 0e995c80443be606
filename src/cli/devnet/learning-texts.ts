import { copyFile, mkdir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { type InputText, installedPackages, installedTexts } from './input-text.ts'

export type LearningTexts = {
  readonly folder: string
  /** What was added because the given text alone is too little to learn from; null where nothing was. */
  readonly added: string | null
}

/** Less than this holds too little to train on and to measure with. */
const enoughBytes = 96 * 1024
const addedBytesMax = 384 * 1024

/** The folder that was given, or one made of what was given; with texts of the installed packages where it is too little. */
export async function learningTexts(input: InputText, scratch: string): Promise<LearningTexts> {
  if (input.isFolder && input.sizeBytes >= enoughBytes) return { folder: input.from, added: null }
  const folder = join(scratch, 'texts')
  await mkdir(folder)
  for (const [place, file] of input.paths.entries()) await copyFile(file, join(folder, `${place}-${basename(file)}`))
  if (input.sizeBytes >= enoughBytes) return { folder, added: null }
  const count = await addInstalled(folder)
  return {
    folder,
    added: `the given text is ${input.sizeBytes} bytes, too little to learn from: ${count} texts of installed packages are added`
  }
}

async function addInstalled(folder: string): Promise<number> {
  let sizeBytes = 0
  let count = 0
  for (const file of await installedTexts(installedPackages())) {
    if (sizeBytes >= addedBytesMax) break
    sizeBytes += (await stat(file)).size
    await copyFile(file, join(folder, `installed-${count++}-${basename(file)}`))
  }
  return count
}
