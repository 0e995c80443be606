import { createHash, randomBytes } from 'node:crypto'
import { rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { BlyanError } from '../errors/index.ts'
import { readSmallFile, removeFile, writeFileDurably } from './durable-file.ts'
import { isSameProcess, processStartMark } from './process-identity.ts'

/**
 * One process per data folder, also when two start at the same moment and also after a crash.
 *
 * The lock file appears by a hard link, so that one of two starters gets it. The lock of a dead process is replaced
 * only by whoever creates the one claim file named after that lock's content; a claim whose maker died is claimed in
 * the same way. So no starter ever removes a lock that is not the dead one it read.
 */
export type FolderLock = {
  readonly pid: number
  /** When this process started, RFC 3339. */
  readonly startedAt: string
  release(): Promise<void>
}

type LockContent = { readonly pid: number; readonly startMark: string | null }
type Claim = { readonly path: string; readonly text: string }

const attemptsMax = 50
const claimChainMax = 16
const retryDelayMs = 20

/** Throws DATA_FOLDER_IN_USE. */
export async function acquireFolderLock(lockPath: string): Promise<FolderLock> {
  const pid = process.pid
  const startedAt = new Date(Date.now() - process.uptime() * 1000).toISOString()
  const mark = { pid, startedAt, startMark: processStartMark(pid), nonce: randomBytes(8).toString('hex') }
  const text = `${JSON.stringify(mark)}\n`
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    if (await tryAcquire(lockPath, text)) {
      return { pid, startedAt, release: () => releaseLock(lockPath, text) }
    }
    await new Promise(resolve => setTimeout(resolve, retryDelayMs * (0.5 + Math.random())))
  }
  throw await inUse(lockPath)
}

/** The process that holds a data folder, while it lives; null when it is free. */
export async function lockHolder(lockPath: string): Promise<number | null> {
  const text = await readSmallFile(lockPath)
  if (text === null) return null
  const { pid, startMark } = JSON.parse(text) as LockContent
  return isSameProcess(pid, startMark ?? null) ? pid : null
}

async function tryAcquire(lockPath: string, text: string): Promise<boolean> {
  if (await createExclusive(lockPath, text)) return true
  const dead = await deadChain(lockPath)
  const last = dead.at(-1)
  // The lock went away between the two looks.
  if (last === undefined) return false
  const claimPath = claimName(lockPath, last.text)
  if (!(await createExclusive(claimPath, text))) return false
  for (const { path, text: seen } of dead) {
    if ((await readSmallFile(path)) !== seen) {
      await removeFile(claimPath)
      return false
    }
  }
  // From here on nobody else may touch the lock: they all run into this claim, whose maker lives.
  await rename(claimPath, lockPath)
  for (const { path } of dead.slice(1)) await removeFile(path)
  return true
}

/** The lock and the claims on it, while their makers are all dead. Throws DATA_FOLDER_IN_USE when one lives. */
async function deadChain(lockPath: string): Promise<Claim[]> {
  const chain: Claim[] = []
  let path = lockPath
  while (chain.length < claimChainMax) {
    const text = await readSmallFile(path)
    if (text === null) break
    const { pid, startMark } = parseLock(text)
    if (isSameProcess(pid, startMark)) {
      throw new BlyanError('DATA_FOLDER_IN_USE', { path: dirname(lockPath), pid })
    }
    chain.push({ path, text })
    path = claimName(lockPath, text)
  }
  return chain
}

async function releaseLock(lockPath: string, text: string): Promise<void> {
  if ((await readSmallFile(lockPath)) === text) await removeFile(lockPath)
}

async function inUse(lockPath: string): Promise<BlyanError> {
  const { pid } = parseLock((await readSmallFile(lockPath)) ?? '')
  return new BlyanError('DATA_FOLDER_IN_USE', { path: dirname(lockPath), pid })
}

async function createExclusive(path: string, text: string): Promise<boolean> {
  try {
    await writeFileDurably(path, text, { mode: 0o600, exclusive: true })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

function claimName(lockPath: string, text: string): string {
  return `${lockPath}.after-${createHash('sha256').update(text).digest('hex').slice(0, 16)}`
}

/** A lock that says nothing belongs to nobody. */
function parseLock(text: string): LockContent {
  try {
    const { pid, startMark } = JSON.parse(text) as Record<string, unknown>
    return { pid: typeof pid === 'number' ? pid : 0, startMark: typeof startMark === 'string' ? startMark : null }
  } catch {
    return { pid: 0, startMark: null }
  }
}
