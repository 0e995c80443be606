import { randomBytes } from 'node:crypto'
import { chmod, mkdir, statfs } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { BlyanError, isBlyanError } from '../errors/index.ts'
import { readSmallFile, removeFile, writeFileDurably } from './durable-file.ts'
import { acquireFolderLock, type FolderLock, lockHolder } from './folder-lock.ts'
import { isSameProcess, processStartMark } from './process-identity.ts'

/** Where everything of one node lies. Names are promises of the interface. */
export type DataFolderPaths = {
  readonly root: string
  readonly configFile: string
  readonly genesisFile: string
  readonly keysFolder: string
  readonly signerStateFile: string
  readonly databaseFolder: string
  readonly blocksFolder: string
  readonly tensorsFolder: string
  readonly snapshotsFolder: string
  readonly logsFolder: string
  readonly versionFile: string
  readonly lockFile: string
  readonly apiFile: string
  readonly apiTokenFile: string
}

/** Each token may do what those before it may, and more. */
export type ApiTokens = { readonly read: string; readonly operate: string; readonly sign: string }

export type ApiAddress = { readonly url: string; readonly pid: number }

/** A data folder that this process holds alone. */
export interface DataFolder {
  readonly paths: DataFolderPaths
  readonly pid: number
  readonly startedAt: string
  /** Tokens are made once and kept, so that scripts and scrapers survive a restart. */
  tokens(): Promise<ApiTokens>
  /** Tells command lines where the API listens. */
  announceApi(url: string): Promise<void>
  freeBytes(): Promise<number>
  /** Throws DISK_SPACE_LOW. */
  requireFreeBytes(neededBytes: number): Promise<void>
  /** Removes the lock and the API's address. May be called twice. */
  release(): Promise<void>
}

/**
 * Version of the layout and of what the stores hold. Raise it with a migration, never silently.
 * 2: every record of db/ has a checksum (src/storage/migrate-records.ts).
 */
export const dataFormatVersion = 2
export const defaultNetwork = 'devnet'
const folderMode = 0o700
const secretMode = 0o600
const tokenPattern = /^[A-Za-z0-9_-]{43}$/

export function dataFolderPaths(path: string): DataFolderPaths {
  const root = resolve(path)
  return {
    root,
    configFile: join(root, 'config.toml'),
    genesisFile: join(root, 'genesis.json'),
    keysFolder: join(root, 'keys'),
    signerStateFile: join(root, 'signer-state.json'),
    databaseFolder: join(root, 'db'),
    blocksFolder: join(root, 'blocks'),
    tensorsFolder: join(root, 'tensors'),
    snapshotsFolder: join(root, 'snapshots'),
    logsFolder: join(root, 'logs'),
    versionFile: join(root, 'version'),
    lockFile: join(root, 'lock'),
    apiFile: join(root, 'api.json'),
    apiTokenFile: join(root, 'api-token')
  }
}

export type Environment = Readonly<Record<string, string | undefined>>

/** `--data`, else `BLYAN_DATA`, else the platform's own place for data, one folder per network. */
export function chooseDataFolder(input: {
  data?: string
  network?: string
  env: Environment
  platform?: NodeJS.Platform
}): string {
  const chosen = input.data ?? input.env.BLYAN_DATA
  if (chosen !== undefined && chosen !== '') return resolve(chosen)
  return join(platformDataHome(input.env, input.platform ?? process.platform), 'blyan', input.network ?? defaultNetwork)
}

function platformDataHome(env: Environment, platform: NodeJS.Platform): string {
  if (platform === 'win32') return env.LOCALAPPDATA ?? join(homedir(), 'AppData', 'Local')
  if (platform === 'darwin') return join(homedir(), 'Library', 'Application Support')
  return env.XDG_DATA_HOME ?? join(homedir(), '.local', 'share')
}

/** Makes the folder if need be and checks its format. Throws DATA_TOO_NEW, DATA_FOLDER_UNUSABLE. */
export async function prepareDataFolder(path: string): Promise<DataFolderPaths> {
  const paths = dataFolderPaths(path)
  try {
    for (const folder of [paths.root, paths.keysFolder, paths.logsFolder]) {
      await mkdir(folder, { recursive: true, mode: folderMode })
    }
    const found = await readSmallFile(paths.versionFile)
    if (found === null) await writeFileDurably(paths.versionFile, `${dataFormatVersion}\n`, { mode: 0o644 })
    else checkVersion(paths.root, found.trim())
  } catch (error) {
    if (isBlyanError(error)) throw error
    throw new BlyanError(
      'DATA_FOLDER_UNUSABLE',
      { path: paths.root, reason: (error as Error).message },
      { cause: error }
    )
  }
  return paths
}

/** Prepares the folder and takes its lock. Throws also DATA_FOLDER_IN_USE. */
export async function openDataFolder(path: string): Promise<DataFolder> {
  const paths = await prepareDataFolder(path)
  const lock = await acquireFolderLock(paths.lockFile)
  try {
    // Before a store is migrated: from here on an older version must not open it.
    if ((await readSmallFile(paths.versionFile))?.trim() !== String(dataFormatVersion))
      await writeFileDurably(paths.versionFile, `${dataFormatVersion}\n`, { mode: 0o644 })
    // What a crashed daemon announced.
    await removeFile(paths.apiFile)
    return new LockedDataFolder(paths, lock)
  } catch (error) {
    await lock.release()
    throw error
  }
}

/** The address a daemon announced, while that very process lives; null otherwise. */
export async function readApiAddress(paths: DataFolderPaths): Promise<ApiAddress | null> {
  try {
    const text = await readSmallFile(paths.apiFile)
    if (text === null) return null
    const { url, pid, startMark } = JSON.parse(text) as Record<string, unknown>
    if (typeof url !== 'string' || typeof pid !== 'number') return null
    // A dead daemon's port may be another program's now: never send it a token.
    return isSameProcess(pid, typeof startMark === 'string' ? startMark : null) ? { url, pid } : null
  } catch {
    return null
  }
}

/** The process that runs on this data folder; null when none does. */
export function runningProcess(paths: DataFolderPaths): Promise<number | null> {
  return lockHolder(paths.lockFile)
}

/** The token that may do all, or one that may do less; null when there is none that this user may read. */
export async function readApiToken(paths: DataFolderPaths, scope: keyof ApiTokens = 'sign'): Promise<string | null> {
  const path = scope === 'sign' ? paths.apiTokenFile : `${paths.apiTokenFile}.${scope}`
  const text = await readSmallFile(path).catch(() => null)
  return text?.split('\n')[0]?.trim() ?? null
}

export async function freeBytesOf(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path)
  return bavail * bsize
}

class LockedDataFolder implements DataFolder {
  readonly paths: DataFolderPaths
  readonly #lock: FolderLock
  #released = false

  constructor(paths: DataFolderPaths, lock: FolderLock) {
    this.paths = paths
    this.#lock = lock
  }

  get pid(): number {
    return this.#lock.pid
  }

  get startedAt(): string {
    return this.#lock.startedAt
  }

  async tokens(): Promise<ApiTokens> {
    const { apiTokenFile } = this.paths
    return {
      read: await tokenIn(`${apiTokenFile}.read`),
      operate: await tokenIn(`${apiTokenFile}.operate`),
      sign: await tokenIn(apiTokenFile)
    }
  }

  async announceApi(url: string): Promise<void> {
    const address = { url, pid: this.pid, startMark: processStartMark(this.pid) }
    await writeFileDurably(this.paths.apiFile, `${JSON.stringify(address)}\n`, { mode: secretMode })
  }

  freeBytes(): Promise<number> {
    return freeBytesOf(this.paths.root)
  }

  async requireFreeBytes(neededBytes: number): Promise<void> {
    const freeBytes = await this.freeBytes()
    if (freeBytes < neededBytes)
      throw new BlyanError('DISK_SPACE_LOW', { path: this.paths.root, freeBytes, neededBytes })
  }

  async release(): Promise<void> {
    if (this.#released) return
    this.#released = true
    await removeFile(this.paths.apiFile)
    await this.#lock.release()
  }
}

async function tokenIn(path: string): Promise<string> {
  const found = (await readSmallFile(path))?.split('\n')[0]?.trim() ?? ''
  if (tokenPattern.test(found)) {
    await chmod(path, secretMode)
    return found
  }
  const token = randomBytes(32).toString('base64url')
  await writeFileDurably(path, `${token}\n`, { mode: secretMode })
  return token
}

function checkVersion(path: string, found: string): void {
  if (!/^\d{1,9}$/.test(found)) {
    throw new BlyanError('DATA_FOLDER_UNUSABLE', { path, reason: `its file "version" holds "${found.slice(0, 40)}"` })
  }
  if (Number(found) > dataFormatVersion) throw new BlyanError('DATA_TOO_NEW', { path, found, known: dataFormatVersion })
}
