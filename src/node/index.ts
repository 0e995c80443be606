/**
 * node: one running node: its settings, data folder, keys and log, and the list that wires all rooms together.
 * In: a data folder, settings, unlocked keys. Out: a BlyanNode, which is all that the API knows.
 * Never touches: HTTP, the command line, the terminal (except to ask for a password).
 * What is light is exported as it is; what loads much is behind an `import...` function, so that `status` stays fast.
 */
export { answerModes, partPicksMax } from './answers/answer-types.ts'
export {
  type ChatEnd,
  type ChatRequest,
  type ChatService,
  createChatService,
  type RunningChat
} from './answers/chat-service.ts'
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
export type { ContinuityView, NamedAccount } from './views/continuity-view.ts'
export type { GiftedLine, GiftedView, QuoteView, TariffView, TreasuryView } from './views/gifted-view.ts'
export type {
  CandidateDetails,
  CandidateView,
  CorpusView,
  MeasurementView,
  PartVersionsView
} from './views/learning-view.ts'
export type { AccountView, EventKeyView, HoldView, SupplyView } from './views/money-view.ts'
export type {
  ExpertRewardView,
  RunningPeriodView,
  ScaleView,
  SettlementView,
  ValidatorRewardView
} from './views/rewards-view.ts'
export type { SlashView } from './views/slashing-view.ts'
export type { ParameterView, ProposalLine, ProposalView, TallyView } from './views/votes-view.ts'

/** What every event type does: loads the ledger. */
export const importEventHandlers = () => import('./event-handlers.ts')
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
/** What the ledger says of votes: loads the ledger. */
export const importVotesView = () => import('./views/votes-view.ts')
/** What the API shows of rewards: loads the ledger. */
export const importRewardsViews = () => import('./views/rewards-view.ts')
/** What the API shows of gifted nodes, the meter and the treasury: loads the ledger. */
export const importGiftedViews = () => import('./views/gifted-view.ts')
/** Signs that somebody gives a node: loads the ledger. */
export const importGiftConsent = () => import('./gift-consent.ts')
/** What the API shows of punishments: loads the ledger. */
export const importSlashingViews = () => import('./views/slashing-view.ts')
/** What the API shows of evidence against holders: loads the guardian. */
export const importExpertEvidenceViews = () => import('./views/expert-evidence-view.ts')
/** What the API shows of stake: loads the ledger. */
export const importStakingViews = () => import('./views/staking-view.ts')
/** What the API shows of accounts, holds and supply: loads the ledger. */
export const importMoneyViews = () => import('./views/money-view.ts')
/** What the API shows of candidates, measurements and corpora: loads the rooms that learn. */
export const importLearningViews = () => import('./views/learning-view.ts')
/** What the API shows of the owner's node and of who does what without it: loads the ledger. */
export const importContinuityView = () => import('./views/continuity-view.ts')
