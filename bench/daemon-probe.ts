/**
 * Loaded into a daemon with --import: counts the bytes of all its sockets and how late its event loop runs. SIGUSR2
 * writes both to a file named after the process, and begins the event-loop measurement anew.
 */
import { subscribe } from 'node:diagnostics_channel'
import { renameSync, writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'

/** The timer of the histogram; its own period is part of what it records. */
const resolutionMs = 1
const folder = process.env.BENCH_PROBE_FOLDER

if (folder !== undefined) observe(join(folder, `${process.pid}.json`))

function observe(file: string): void {
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
  process.on('SIGUSR2', () => {
    const text = JSON.stringify({
      receivedBytes: [...open].reduce((sum, socket) => sum + socket.bytesRead, closed.received),
      sentBytes: [...open].reduce((sum, socket) => sum + socket.bytesWritten, closed.sent),
      eventLoopDelayP99Ms: Math.max(0, delay.percentile(99) / 1e6 - resolutionMs)
    })
    writeFileSync(`${file}.new`, text)
    renameSync(`${file}.new`, file)
    delay.reset()
  })
}
