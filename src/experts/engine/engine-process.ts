/**
 * Entry of the engine process, started by engine-child.ts and never imported by the daemon. It alone loads ONNX Runtime.
 * In: one task as JSON in its argument, frames on file descriptor 3. Out: frames. It ends when the channel ends, so that
 * a daemon that is killed leaves no orphan behind.
 */
import { writeSync } from 'node:fs'
import { realpath } from 'node:fs/promises'
import { Socket } from 'node:net'
import { measureProvider } from '../devices/provider-measurement.ts'
import { channelDescriptor, type EngineProcessTask } from './engine-protocol.ts'
import { createEngineService } from './engine-service.ts'
import { closedReason, createFrameChannel } from './frame-channel.ts'

const exitCodeGarbage = 3

async function serve(task: Extract<EngineProcessTask, { task: 'serve' }>): Promise<void> {
  const stream = new Socket({ fd: channelDescriptor, readable: true, writable: true })
  const tensorFolder = await realpath(task.tensorFolder)
  const service = createEngineService({ ...task, tensorFolder, send: frame => channel.send(frame) })
  const channel = createFrameChannel({
    stream,
    frameBytesMax: task.frameBytesMax,
    onFrame: frame => {
      try {
        service.handle(frame)
      } catch {
        process.exit(exitCodeGarbage)
      }
    },
    onEnd: reason => process.exit(reason === closedReason ? 0 : exitCodeGarbage)
  })
  channel.send({ ready: true })
}

const task = JSON.parse(process.argv[2] ?? '{}') as EngineProcessTask
if (task.task === 'serve') await serve(task)
else writeSync(channelDescriptor, JSON.stringify(await measureProvider(task.provider, task.threads)))
