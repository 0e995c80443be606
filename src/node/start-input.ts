import type { SigningKey } from '../codec/index.ts'
import type { Config } from './config-schema.ts'
import type { DataFolder } from './data-folder.ts'
import type { UnlockedKeys } from './key-store.ts'
import type { RootLogger } from './logging.ts'

/** What a node needs to run, all of it opened by whoever starts it. */
export type StartNodeInput = {
  readonly dataFolder: DataFolder
  readonly config: Config
  readonly keys: UnlockedKeys
  readonly logger: RootLogger
  readonly version: string
  /** Opens a key of the data folder that was made after the start: a rotation needs it. */
  readonly openKey?: (name: string) => Promise<SigningKey>
  /** Whether a validator key that no set knows yet is meant: its node follows until the validators let it in. */
  readonly isCandidate?: boolean
  /** The disk failed under the node: it must stop. Without a listener the error is thrown where nobody catches it. */
  readonly onFatal?: (error: unknown) => void
}
