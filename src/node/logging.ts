import { createWriteStream, mkdirSync, renameSync, statSync, type WriteStream } from 'node:fs'
import { join } from 'node:path'
import pino, { type Logger } from 'pino'
import { prettyFactory } from 'pino-pretty'
import type { Config } from './config-schema.ts'

export type { Logger } from 'pino'

/**
 * One log for the process: lines to stderr (pretty on a terminal, JSON otherwise) and JSON to logs/node.log, which is
 * rotated so that it never fills a disk. Each component has a child whose level can be changed while it runs.
 * Nothing a peer wrote is logged above debug: whoever connects must not be able to write the operator's log.
 */
export interface RootLogger extends Pick<Logger, 'info' | 'warn' | 'error' | 'debug'> {
  /** The same child for the same component. */
  component(name: string): Logger
  /** `*` changes all. Throws RangeError for a level or component nobody knows. */
  setLevel(component: string, level: string): void
  levels(): Readonly<Record<string, string>>
  /** Resolves when the file holds every line. */
  close(): Promise<void>
}

type LogTarget = { write(line: string): void; close(): Promise<void> }

const fileBytesMax = 10 * 1024 * 1024
const filesKept = 5

export function createRootLogger(input: {
  level: Config['log']['level']
  format: Config['log']['format']
  /** Null writes no file. */
  logsFolder: string | null
  stderr?: { isTTY?: boolean; write(line: string): unknown }
}): RootLogger {
  const stderr = input.stderr ?? process.stderr
  const pretty = input.format === 'pretty' || (input.format === 'auto' && stderr.isTTY === true)
  const print = pretty
    ? prettyFactory({ colorize: stderr.isTTY === true, ignore: 'pid,hostname', singleLine: true })
    : undefined
  const file = input.logsFolder === null ? null : rotatingFile(join(input.logsFolder, 'node.log'))
  const target: LogTarget = {
    write: line => {
      stderr.write(print === undefined ? line : (print(line) ?? ''))
      file?.write(line)
    },
    close: () => file?.close() ?? Promise.resolve()
  }
  return new ComponentLogger(input.level, target)
}

class ComponentLogger implements RootLogger {
  readonly #root: Logger
  readonly #target: LogTarget
  readonly #components = new Map<string, Logger>()
  #level: string

  constructor(level: string, target: LogTarget) {
    this.#target = target
    this.#level = level
    this.#root = pino(
      {
        level,
        base: null,
        timestamp: pino.stdTimeFunctions.isoTime,
        formatters: { level: label => ({ level: label }) }
      },
      target
    )
  }

  get info(): Logger['info'] {
    return this.#root.info.bind(this.#root)
  }

  get warn(): Logger['warn'] {
    return this.#root.warn.bind(this.#root)
  }

  get error(): Logger['error'] {
    return this.#root.error.bind(this.#root)
  }

  get debug(): Logger['debug'] {
    return this.#root.debug.bind(this.#root)
  }

  component(name: string): Logger {
    const known = this.#components.get(name)
    if (known !== undefined) return known
    const child = this.#root.child({ component: name }, { level: this.#level })
    this.#components.set(name, child)
    return child
  }

  setLevel(component: string, level: string): void {
    if (level !== 'silent' && pino.levels.values[level] === undefined)
      throw new RangeError(`no log level "${level.slice(0, 40)}"`)
    if (component === '*') {
      this.#level = level
      this.#root.level = level
      for (const child of this.#components.values()) child.level = level
      return
    }
    const child = this.#components.get(component)
    if (child === undefined)
      throw new RangeError(
        `no component "${component.slice(0, 40)}"; known: *, ${[...this.#components.keys()].join(', ')}`
      )
    child.level = level
  }

  levels(): Readonly<Record<string, string>> {
    return {
      '*': this.#level,
      ...Object.fromEntries([...this.#components].map(([name, child]) => [name, child.level]))
    }
  }

  close(): Promise<void> {
    return this.#target.close()
  }
}

/** Appends to `path`; at 10 MiB it becomes `path.1`, and what was `path.4` is replaced. */
function rotatingFile(path: string): LogTarget {
  mkdirSync(join(path, '..'), { recursive: true, mode: 0o700 })
  let sizeBytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0
  let stream = openLog(path)
  const closing = new Set<Promise<void>>()
  const end = (ended: WriteStream): Promise<void> => {
    const done = new Promise<void>(resolve => ended.end(() => resolve()))
    closing.add(done)
    return done.finally(() => closing.delete(done))
  }
  return {
    write: line => {
      sizeBytes += Buffer.byteLength(line)
      stream.write(line)
      if (sizeBytes < fileBytesMax) return
      void end(stream)
      rotate(path)
      stream = openLog(path)
      sizeBytes = 0
    },
    close: async () => {
      void end(stream)
      await Promise.all(closing)
    }
  }
}

function openLog(path: string): WriteStream {
  const stream = createWriteStream(path, { flags: 'a', mode: 0o600 })
  // A full disk must not end the node; stderr still has every line.
  stream.on('error', () => {})
  return stream
}

function rotate(path: string): void {
  for (let age = filesKept - 1; age >= 1; age--) {
    const from = age === 1 ? path : `${path}.${age - 1}`
    try {
      renameSync(from, `${path}.${age}`)
    } catch {
      // No such age yet.
    }
  }
}
