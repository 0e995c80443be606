import { type ChildProcess, spawn } from 'node:child_process'
import { extname } from 'node:path'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { EngineProcessTask } from './engine-protocol.ts'

/** What this room wants of a logger; a pino logger fits. */
export type EngineLogger = {
  debug(details: object, message: string): void
  info(details: object, message: string): void
  warn(details: object, message: string): void
}

/** Secrets of the daemon's environment stay with the daemon; these are what drivers and loaders read. */
const passedOn =
  /^(PATH|HOME|TMPDIR|TEMP|TMP|SystemRoot|LANG|TZ|LD_LIBRARY_PATH|XDG_RUNTIME_DIR|(CUDA|NVIDIA|VK|MESA)_\w+)$/

/** Starts engine-process next to this file: `.ts` in a checkout, `.js` once compiled. The channel is `stdio[3]`. */
export function spawnEngineProcess(task: EngineProcessTask): ChildProcess {
  const entry = fileURLToPath(new URL(`./engine-process${extname(import.meta.url)}`, import.meta.url))
  const environment = Object.entries(process.env).filter(([name]) => passedOn.test(name))
  return spawn(process.execPath, ['--disable-warning=ExperimentalWarning', entry, JSON.stringify(task)], {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    // Products rounded to 19 bits would make honest machines differ by more than their checks allow.
    env: { ...Object.fromEntries(environment), NVIDIA_TF32_OVERRIDE: '0' },
    windowsHide: true
  })
}

const linesMax = 500
const lineCharactersMax = 1000

/** Hands lines to `onLine`, at most 500 of at most 1000 characters; the rest is read and dropped. */
export function readLines(stream: Readable, onLine: (line: string) => void): void {
  let started = ''
  let lines = 0
  stream.setEncoding('utf8')
  stream.on('error', () => {})
  stream.on('data', (text: string) => {
    if (lines >= linesMax) return
    const pieces = (started + text).split('\n')
    started = pieces.pop()!.slice(0, lineCharactersMax)
    for (const piece of pieces) {
      if (lines++ < linesMax) onLine(piece.slice(0, lineCharactersMax))
    }
  })
}
