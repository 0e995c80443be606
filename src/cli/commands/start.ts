import { access } from 'node:fs/promises'
import { BlyanError } from '../../errors/index.ts'
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
} from '../../node/index.ts'
import { addConfigFlags } from '../config-flags.ts'
import { type CommandContext, passwordSource, type RegisterCommand } from '../context.ts'
import { runDaemon } from '../run-daemon.ts'
import { packageVersion } from '../version.ts'
import { initialise, reportText } from './init.ts'

type StartOptions = { network?: string; init?: true; candidate?: true; repair?: true }

export const register: RegisterCommand = async (command, context) => {
  command
    .option('--network <name>', 'whose data folder to use, and with --init whose genesis file')
    .option('--candidate', 'with a validator key that no set knows yet: follow until the validators let it in')
    .option('--init', 'make first what is missing, as the command init does')
    .option('--repair', 'move the database aside first and fetch everything anew from peers')
  const flagsOf = await addConfigFlags(command)
  command.action((options: StartOptions) => start(context(), options, flagsOf(options)))
}

async function start(context: CommandContext, options: StartOptions, flags: FlagValues): Promise<void> {
  const paths = context.paths(options.network)
  if (options.init === true) context.output.note(reportText(await initialise(context, options.network, flags)))
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
      context.output
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
