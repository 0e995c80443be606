import { createReadStream } from 'node:fs'
import type { Command } from 'commander'
import { BlyanError } from '../errors/index.ts'
import {
  chooseDataFolder,
  type DataFolderPaths,
  dataFolderPaths,
  type Environment,
  type PasswordSource,
  terminalPrompt
} from '../node/index.ts'
import { connectToDaemon, type DaemonClient } from './daemon-client.ts'
import { createOutput, type Output } from './output.ts'

/** What every command gets: the options that stand before all others, and how to print and ask. */
export type CommandContext = {
  readonly output: Output
  readonly env: Environment
  readonly passwordFile: string | undefined
  /** The data folder chosen by --data, BLYAN_DATA or the platform. */
  readonly paths: (network?: string) => DataFolderPaths
  /** Every --data of this command line; all but one command take the last. */
  readonly dataFolders: readonly string[]
  /** The same with another data folder. */
  readonly at: (data: string | undefined) => CommandContext
  /** Throws DAEMON_NOT_REACHABLE. */
  readonly daemon: () => Promise<DaemonClient>
}

/** Adds a command's options and what it does. Each file in `commands/` exports one. */
export type RegisterCommand = (command: Command, context: () => CommandContext) => void | Promise<void>

export type GlobalOptions = {
  readonly json?: boolean
  readonly verbose?: boolean
  readonly data?: readonly string[]
  readonly passwordFile?: string
}

export function createContext(options: GlobalOptions, env: Environment): CommandContext {
  const { data: dataFolders = [] } = options
  const paths = (network?: string): DataFolderPaths =>
    dataFolderPaths(chooseDataFolder({ data: dataFolders.at(-1), network, env }))
  return {
    output: createOutput({ json: options.json === true, verbose: options.verbose === true }),
    env,
    passwordFile: options.passwordFile,
    paths,
    dataFolders,
    at: data => createContext({ ...options, data: data === undefined ? [] : [data] }, env),
    daemon: () => connectToDaemon(paths())
  }
}

/** The password file as flag, variable and settings choose it; a terminal is asked when there is none. */
export function passwordSource(passwordFile: string | null): PasswordSource {
  return { passwordFile, ask: terminalPrompt() }
}

/** Reads a file, or standard input for `-`, up to a limit. Throws INPUT_TOO_LARGE, FILE_UNREADABLE. */
export async function readInput(path: string, what: string, limitBytes: number): Promise<Uint8Array> {
  const chunks: Buffer[] = []
  let sizeBytes = 0
  try {
    for await (const chunk of path === '-' ? process.stdin : createReadStream(path)) {
      sizeBytes += (chunk as Buffer).length
      if (sizeBytes > limitBytes) throw new BlyanError('INPUT_TOO_LARGE', { what, limitBytes })
      chunks.push(chunk as Buffer)
    }
  } catch (error) {
    throw error instanceof BlyanError ? error : unreadable(path, error)
  }
  return new Uint8Array(Buffer.concat(chunks))
}

export function unreadable(path: string, error: unknown): BlyanError {
  const { code, message } = error as NodeJS.ErrnoException
  const reason = code === 'ENOENT' ? 'there is no such file' : code === 'EISDIR' ? 'it is a folder' : message
  return new BlyanError('FILE_UNREADABLE', { path, reason }, { cause: error })
}

/** Parses a whole number of an option. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return text => {
    const value = Number(text)
    if (/^\d{1,15}$/.test(text) && value >= min && value <= max) return value
    throw new BlyanError('USAGE', {
      reason: `"${text.slice(0, 40)}" is not a whole number from ${min} to ${max}`,
      hint: 'correct that value'
    })
  }
}
