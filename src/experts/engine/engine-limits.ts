import { totalmem } from 'node:os'
import type { EngineLimits } from './engine-types.ts'

const mebibyte = 1024 * 1024

export const defaultEngineLimits: EngineLimits = {
  frameBytesMax: 32 * mebibyte,
  openRequestsMax: 512,
  requestTimeoutMs: 30_000,
  startTimeoutMs: 20_000,
  restartsMax: 10,
  restartWindowMs: 600_000,
  backOffMs: 100,
  evaluateBytesMax: 16 * mebibyte,
  evaluateTokensMax: 4 * mebibyte,
  promptBytesMax: mebibyte,
  generateTokensMax: mebibyte,
  answersMax: 32,
  answersWaitingMax: 256,
  keyValueBytesMax: 1024 * mebibyte,
  expertRowsWaitingMax: 16_384,
  memoryBytesMax: 512 * mebibyte,
  mappedSessionsMax: 4096,
  expertMemoryBytesMax: 4096 * mebibyte,
  trainingBytesMax: Math.min(8192 * mebibyte, Math.floor(totalmem() / 2))
}
