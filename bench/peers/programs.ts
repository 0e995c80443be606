import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, closeSync, constants, openSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'

/** A program of somebody else in PATH or where Go puts what it installs; undefined when it is not here. */
export function findProgram(name: string): string | undefined {
  const chosen = process.env[`BENCH_${name.toUpperCase()}`]
  const folders = [
    ...(process.env.PATH ?? '').split(delimiter),
    join(process.env.GOPATH ?? join(homedir(), 'go'), 'bin')
  ]
  return [...(chosen === undefined ? [] : [chosen]), ...folders.map(folder => join(folder, name))].find(isExecutable)
}

export type Running = { readonly pids: readonly number[] }

/** Starts programs for as long as `work` lasts; what they print goes to a file each. */
export async function withPrograms<T>(
  program: string,
  members: readonly { readonly args: readonly string[]; readonly logFile: string }[],
  work: (running: Running) => Promise<T>
): Promise<T> {
  const children: ChildProcess[] = []
  const killAll = (): void => {
    for (const child of children) child.kill('SIGKILL')
  }
  process.prependOnceListener('exit', killAll)
  try {
    for (const { args, logFile } of members) {
      const output = openSync(logFile, 'w', 0o600)
      children.push(spawn(program, args, { stdio: ['ignore', output, output] }))
      closeSync(output)
    }
    return await work({ pids: children.map(child => child.pid!) })
  } finally {
    killAll()
    await Promise.all(children.map(child => child.exitCode ?? child.signalCode ?? once(child, 'exit')))
    process.removeListener('exit', killAll)
  }
}

/** Held open together, so that no two are the same. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map(server => once(server, 'listening')))
  const ports = servers.map(server => (server.address() as { port: number }).port)
  await Promise.all(servers.map(server => once(server.close(), 'close')))
  return ports
}

/** Tries until it goes well. */
export async function untilDone<T>(what: string, attempt: () => Promise<T>, timeoutMs = 60_000): Promise<T> {
  for (const endsAtMs = performance.now() + timeoutMs; ; ) {
    try {
      return await attempt()
    } catch (error) {
      if (performance.now() > endsAtMs) throw new Error(`not within ${timeoutMs} ms: ${what}`, { cause: error })
    }
    await new Promise(resolve => setTimeout(resolve, 100))
  }
}

export async function untilListening(port: number): Promise<void> {
  await untilDone(`something listens on port ${port}`, async () => {
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect').finally(() => socket.destroy())
  })
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
