import { type BenchNetwork, pause } from '../network.ts'
import { type Options, plain, type Result } from '../report.ts'

const dayMs = 24 * 3600 * 1000

/** What all sockets of one node send and receive while nobody asks for anything; TCP and IP headers are not in it. */
export async function measureIdleBytes(
  { nodes }: BenchNetwork,
  size: string,
  { quick, note }: Options
): Promise<Result> {
  const durationMs = quick ? 40_000 : 90_000
  note(`idle for ${durationMs / 1000} s, ${size}`)
  // Past the hellos and the checkpoint that follow the start.
  await pause(5000)
  const startedAtMs = performance.now()
  const before = await Promise.all(nodes.map(node => node.probe()))
  await pause(durationMs)
  const after = await Promise.all(nodes.map(node => node.probe()))
  const elapsedMs = performance.now() - startedAtMs
  const perDay = after.map((probe, place) => {
    const bytes = probe.receivedBytes + probe.sentBytes - before[place]!.receivedBytes - before[place]!.sentBytes
    return (bytes * dayMs) / elapsedMs
  })
  return plain(`quorum.idleBytesPerDay.${size}`, 'bytes', perDay)
}
