import { access } from 'node:fs/promises'
import { BlyanError } from '../errors/index.ts'
import {
  type DataFolderPaths,
  type FlagValues,
  importConfig,
  importKeyStore,
  importLogging,
  importSnapshotWork,
  type LoadedConfig,
  obtainPassword,
  openDataFolder
} from '../node/index.ts'
import { type CommandContext, passwordSource } from './context.ts'
import { type DaemonWork, runDaemon } from './run-daemon.ts'
import { packageVersion } from './version.ts'

export type StartDaemonOptions = {
  readonly network?: string | undefined
  readonly candidate?: true | undefined
  readonly repair?: true | undefined
}

/**
 * Runs the node of a data folder in this process until it is asked to stop, or until `work` is done where there is some;
 * then ends the process. Throws what stands in the way before it runs.
 */
export async function startDaemon(
  context: CommandContext,
  options: StartDaemonOptions,
  flags: FlagValues,
  work?: DaemonWork
): Promise<void> {
  const paths = context.paths(options.network)
  const { loadConfig } = await importConfig()
  const loaded = await loadConfig({
    dataFolder: paths.root,
    flags: { ...flags, 'keys.passwordFile': context.passwordFile },
    env: context.env
  })
  await requireInitialised(paths, loaded)
  const dataFolder = await openDataFolder(paths.root)
  try {
    await dataFolder.requireFreeBytes(loaded.config.storage.minimumFreeBytes)
    const { openKeyStore, unlockNodeKeys } = await importKeyStore()
    const password = await obtainPassword(passwordSource(loaded.passwordFile), 'password of the keys: ')
    const store = openKeyStore(paths.keysFolder)
    const keys = await unlockNodeKeys(store, password, loaded.config.node.roles)
    const openKey = (name: string) => store.unlock(name, password)
    if (options.repair === true) await moveAside(context, paths)
    const { createRootLogger } = await importLogging()
    const logger = createRootLogger({ ...loaded.config.log, logsFolder: paths.logsFolder })
    const exitCode = await runDaemon(
      {
        dataFolder,
        config: loaded.config,
        keys,
        openKey,
        isCandidate: options.candidate === true,
        logger,
        version: packageVersion()
      },
      context.output,
      work
    )
    await dataFolder.release()
    await logger.close()
    // Libraries may keep timers and handles; everything of ours is on disk.
    process.exit(exitCode)
  } finally {
    await dataFolder.release()
  }
}

/** Keys and the signer's floor stay: a validator goes on above what it has signed. */
async function moveAside(context: CommandContext, paths: DataFolderPaths): Promise<void> {
  const { moveDatabaseAside } = await importSnapshotWork()
  const before = await moveDatabaseAside(paths)
  if (before !== undefined) context.output.note(`the database is in ${before} now; remove it once the node is ready`)
}

/** Says what is missing before the folder is locked or a password asked for. */
async function requireInitialised(paths: DataFolderPaths, { config }: LoadedConfig): Promise<void> {
  const needed = ['node', 'account', ...(config.node.roles.includes('validator') ? ['validator'] : [])]
  for (const name of needed) {
    if (await isMissing(`${paths.keysFolder}/${name}.json`)) {
      throw new BlyanError('DATA_FOLDER_NOT_READY', { path: paths.root, missing: `the ${name} key` })
    }
  }
  const { genesisFile } = config.network
  if (await isMissing(genesisFile))
    throw new BlyanError('GENESIS_MISSING', { path: genesisFile, dataFolder: paths.root })
}

function isMissing(path: string): Promise<boolean> {
  return access(path).then(
    () => false,
    () => true
  )
}
