import { existsSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { BlyanError } from '../errors/index.ts'
import { unreadable } from './context.ts'

export type LearnTarget = {
  /** Absolute; undefined where none was named. */
  readonly texts: string | undefined
  /** Data folder of the node; undefined: the usual one. */
  readonly node: string | undefined
}

/**
 * `--data` names the texts in `learn --data TEXTS` and the node everywhere else. Given twice, it is told by its looks
 * which is which; with the texts as an argument it always names the node. Throws LEARNING_DATA_IS_NODE, USAGE.
 */
export function learnTarget(argument: string | undefined, given: readonly string[]): LearnTarget {
  if (given.length > 2)
    throw new BlyanError('USAGE', {
      reason: `--data was given ${given.length} times`,
      hint: 'give it once for the texts and once for the node'
    })
  if (argument !== undefined) {
    if (given.length === 2)
      throw new BlyanError('USAGE', {
        reason: `"${argument}" and two --data name too many folders`,
        hint: 'give the texts once, and the data folder of the node once'
      })
    return { texts: resolve(argument), node: given[0] }
  }
  const [first, second] = given
  if (first === undefined) return { texts: undefined, node: undefined }
  if (second === undefined) {
    if (isNodeFolder(first)) throw new BlyanError('LEARNING_DATA_IS_NODE', { path: first })
    return { texts: resolve(first), node: undefined }
  }
  const [texts, node] = isNode(first, second) ? [second, first] : [first, second]
  if (isNodeFolder(texts)) throw new BlyanError('LEARNING_DATA_IS_NODE', { path: texts })
  return { texts: resolve(texts), node }
}

/** Throws FILE_UNREADABLE before a node is asked or started. */
export async function requireFolder(path: string): Promise<void> {
  const found = await stat(path).catch(error => {
    throw unreadable(path, error)
  })
  if (!found.isDirectory()) throw new BlyanError('FILE_UNREADABLE', { path, reason: 'it is a file and no folder' })
}

/** Whether the first of two is the node: by its looks, or because no texts can be there yet. */
function isNode(first: string, second: string): boolean {
  if (isNodeFolder(first) || isNodeFolder(second)) return isNodeFolder(first)
  return !existsSync(first) && existsSync(second)
}

function isNodeFolder(path: string): boolean {
  return existsSync(join(path, 'config.toml')) && existsSync(join(path, 'keys'))
}
