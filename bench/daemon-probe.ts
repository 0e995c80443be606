/**
 * Loaded into a daemon with --import: counts the bytes of all its sockets and how late its event loop runs. SIGUSR2
 * writes both, and what the heap holds, to a file named after the process, and begins the event-loop measurement anew.
 * Where a file `<process>.wanted` lies, garbage is collected first and a heap snapshot is written beside. Where a file
 * `<process>.profile` lies, a profile of the processor begins, and ends at the next SIGUSR2 as `<process>.cpuprofile`.
 */
import { subscribe } from 'node:diagnostics_channel'
import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { Session } from 'node:inspector'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setFlagsFromString, writeHeapSnapshot } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** The timer of the histogram; its own period is part of what it records. */
const resolutionMs = 1
const sampleMicroseconds = 500
const folder = process.env.BENCH_PROBE_FOLDER

if (folder !== undefined) observe(join(folder, String(process.pid)))

function observe(name: string): void {
  const open = new Set<Socket>()
  const closed = { received: 0, sent: 0 }
  const watch = (message: unknown): void => {
    const { socket } = message as { socket: Socket }
    open.add(socket)
    socket.once('close', () => {
      open.delete(socket)
      closed.received += socket.bytesRead
      closed.sent += socket.bytesWritten
    })
  }
  subscribe('net.client.socket', watch)
  subscribe('net.server.socket', watch)
  const delay = monitorEventLoopDelay({ resolution: resolutionMs })
  delay.enable()
  const profiler = profilerInto(`${name}.cpuprofile`)
  process.on('SIGUSR2', () => {
    profiler.stop()
    if (existsSync(`${name}.profile`)) {
      rmSync(`${name}.profile`)
      profiler.start()
    }
    if (existsSync(`${name}.wanted`)) {
      rmSync(`${name}.wanted`)
      collectGarbage()
      writeHeapSnapshot(`${name}.heapsnapshot`)
    }
    const { heapUsed, external, arrayBuffers, rss } = process.memoryUsage()
    const text = JSON.stringify({
      receivedBytes: [...open].reduce((sum, socket) => sum + socket.bytesRead, closed.received),
      sentBytes: [...open].reduce((sum, socket) => sum + socket.bytesWritten, closed.sent),
      eventLoopDelayP99Ms: Math.max(0, delay.percentile(99) / 1e6 - resolutionMs),
      heapBytes: heapUsed,
      externalBytes: external + arrayBuffers,
      residentBytes: rss
    })
    writeFileSync(`${name}.json.new`, text)
    renameSync(`${name}.json.new`, `${name}.json`)
    delay.reset()
  })
}

/** Both answer at once: the commands of a session in the same thread are done when `post` returns. */
function profilerInto(file: string): { start(): void; stop(): void } {
  const session = new Session()
  let isRunning = false
  return {
    start: () => {
      session.connect()
      session.post('Profiler.enable')
      session.post('Profiler.setSamplingInterval', { interval: sampleMicroseconds })
      session.post('Profiler.start')
      isRunning = true
    },
    stop: () => {
      if (!isRunning) return
      isRunning = false
      session.post('Profiler.stop', (error, result) => {
        if (error === null) writeFileSync(file, JSON.stringify(result.profile))
      })
      session.disconnect()
    }
  }
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
}
