/**
 * node: one running node: its settings, data folder, keys and log, and the list that wires all rooms together.
 * In: a data folder, settings, unlocked keys. Out: a BlyanNode, which is all that the API knows.
 * Never touches: HTTP, the command line, the terminal (except to ask for a password).
 * What is light is exported as it is; what loads much is behind an `import...` function, so that `status` stays fast.
 */
export type * from './blyan-node.ts'
export type { Config, ConfigField, ConfigOrigin, ConfigValue, FlagValues, LoadedConfig } from './config.ts'
export {
  type ApiAddress,
  type ApiTokens,
  chooseDataFolder,
  type DataFolder,
  type DataFolderPaths,
  dataFolderPaths,
  defaultNetwork,
  type Environment,
  freeBytesOf,
  openDataFolder,
  prepareDataFolder,
  readApiAddress,
  readApiToken,
  runningProcess
} from './data-folder.ts'
export { readSmallFile, removeFile, writeFileDurably } from './durable-file.ts'
export type { InitialisedItem, InitialiseInput, InitialiseReport } from './initialise.ts'
export type { KeyInfo, KeyStore, UnlockedKeys } from './key-store.ts'
export type { Logger, RootLogger } from './logging.ts'
export { obtainNewPassword, obtainPassword, type PasswordSource, terminalPrompt } from './password.ts'
export type { RestoreReport, SnapshotVerdict } from './snapshot-work.ts'
export type { StartNodeInput } from './start-input.ts'
export { nearestWord } from './suggestion.ts'
export { syncText } from './sync-progress.ts'

export {
  isValidatorKeyName,
  nextValidatorKeyName,
  numberOfValidatorKey,
  signerStateFileOf
} from './validator-key-names.ts'

/** Makes genesis files: loads the model's generator. */
export const importCreateGenesis = () => import('./create-genesis.ts')
export const importConfig = () => import('./config.ts')
export const importKeyStore = () => import('./key-store.ts')
export const importLogging = () => import('./logging.ts')
export const importInitialise = () => import('./initialise.ts')
/** Snapshots of a node that does not run. */
export const importSnapshotWork = () => import('./snapshot-work.ts')
/** The whole network stack. */
export const importStartNode = () => import('./start-node.ts')
