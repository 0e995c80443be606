import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Precision } from '../experts/index.ts'
import { type CheckpointConfig, parseCheckpointConfig } from './checkpoint-config.ts'
import { type CheckpointTensors, readCheckpointTensors } from './checkpoint-files.ts'
import { readTextFile, unreadable } from './text-file.ts'

/** What a folder says of itself: its configuration, and where each tensor is. Plain data. */
export type CheckpointHead = {
  readonly configText: string
  readonly config: CheckpointConfig
  readonly tensors: CheckpointTensors
}

const configSizeBytesMax = 1024 * 1024

export async function readCheckpointHead(folder: string, precision: Precision): Promise<CheckpointHead> {
  const found = await stat(folder).catch(error => Promise.reject(unreadable(folder, error)))
  if (!found.isDirectory()) throw unreadable(folder, { message: 'it is not a folder' })
  const configPath = join(folder, 'config.json')
  const configText = await readTextFile(configPath, configSizeBytesMax)
  if (configText === undefined) throw unreadable(configPath, { message: 'there is no such file' })
  const tokenizer = await stat(join(folder, 'tokenizer.json')).then(
    () => 'tokenizer.json' as const,
    () => 'bytes' as const
  )
  const config = parseCheckpointConfig(configText, { precision, tokenizer })
  return { configText, config, tensors: await readCheckpointTensors(folder) }
}
