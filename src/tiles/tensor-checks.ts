import { bytesEqual, type CID } from '../codec/index.ts'
import { isBlyanError } from '../errors/index.ts'
import type { ReferenceBlockstore } from '../storage/index.ts'
import { buildTensorDag, leafCount } from './tensor-dag.ts'
import { hashLeaves, leavesOf, partsOf, readRange, scanTensorFile } from './tensor-file.ts'
import { encodeFileDescription, rootOfFileName, type TensorInfo } from './tensor-info.ts'

export type TensorVerdict = {
  readonly valid: boolean
  readonly reason?: string
  readonly leavesChecked: number
}

/** Hashes a tensor's file and compares every leaf with what the tensor's nodes name. */
export async function verifyTensor(
  blockstore: ReferenceBlockstore,
  root: CID,
  info: TensorInfo
): Promise<TensorVerdict> {
  const parts = await partsOf(blockstore, root)
  if (parts === undefined) return { valid: false, reason: 'its nodes are damaged', leavesChecked: 0 }
  let leavesChecked = 0
  let wrong: number | undefined
  try {
    await hashLeaves(readRange(info.path, 0, info.sizeBytes), (leaf, digest) => {
      leavesChecked++
      const named = parts.leaves[leaf]
      if (named === undefined || !bytesEqual(named, digest)) wrong = Math.min(leaf, wrong ?? leaf)
    })
  } catch (error) {
    if (!isBlyanError(error, 'DISK_FAILED')) throw error
    return { valid: false, reason: error.message, leavesChecked }
  }
  const isComplete = leavesChecked === parts.leaves.length && leavesChecked === leafCount(info)
  if (!isComplete) return { valid: false, reason: 'its file is too short', leavesChecked }
  if (wrong !== undefined) return { valid: false, reason: `leaf ${wrong} differs on disk`, leavesChecked }
  return { valid: true, leavesChecked }
}

/**
 * Makes files and blockstore agree again after a crash or after somebody tidied the folder: a file
 * without its row is hashed and gets it, or is removed where it is not what its name says; a row whose
 * file is gone or was cut goes.
 */
export async function recoverFiles(blockstore: ReferenceBlockstore): Promise<void> {
  const names = new Set(await blockstore.files.names())
  for (const { root, fileName, sizeBytes } of blockstore.registeredFiles()) {
    const isWhole = names.has(fileName) && (await blockstore.files.sizeBytesOf(fileName)) === sizeBytes
    names.delete(fileName)
    if (isWhole) continue
    await blockstore.removeFile(root, (await partsOf(blockstore, root)) ?? { leaves: [], nodes: [root] })
  }
  for (const fileName of names) {
    const root = rootOfFileName(fileName)
    if (root !== undefined) await registerOrRemove(blockstore, root, fileName)
  }
}

async function registerOrRemove(blockstore: ReferenceBlockstore, root: CID, fileName: string): Promise<void> {
  const sizeBytes = (await blockstore.files.sizeBytesOf(fileName)) ?? 0
  try {
    const { head, digests } = await scanTensorFile(blockstore.files.pathOf(fileName), sizeBytes)
    const dag = buildTensorDag(digests, head.layout)
    if (dag.root.equals(root)) {
      const leaves = leavesOf(digests, head.layout)
      const description = encodeFileDescription(head.description, head.layout)
      await blockstore.registerFile({ root, fileName, sizeBytes, leaves, nodes: dag.nodes, description })
      return
    }
  } catch (error) {
    if (!isBlyanError(error, 'TENSOR_FORMAT_INVALID')) throw error
  }
  await blockstore.files.remove(fileName)
}
