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
  /** The disk failed under the node: it must stop. Without a listener the error is thrown where nobody catches it. */
  readonly onFatal?: (error: unknown) => void
}
