import { httpRequest, type LaneTarget, openLane } from '../http-lane.ts'
import { type BenchNetwork, pause } from '../network.ts'
import { type Options, percentile, plain, type Result } from '../report.ts'

const finalityPauseMs = 120
/** From the crash until the figure must be back to what it was. */
const crashSettleMs = 3000

/** Milliseconds from submission to the final answer, one event at a time, spread over the first nodes. */
export async function measureFinality(asked: readonly LaneTarget[], options: Options): Promise<number[]> {
  const count = options.quick ? 60 : 500
  options.note(`finality of ${count} single events, ${asked.length} nodes asked`)
  const lanes = asked.map(node => openLane(node))
  const elapsed: number[] = []
  const warmUp = 10
  for (let place = -warmUp; place < count; place++) {
    const turn = (place + warmUp) % lanes.length
    const request = httpRequest(asked[turn]!, 'POST', '/v0/events?wait=true', {
      type: 'note',
      payload: `bench ${place}`
    })
    await pause(finalityPauseMs * (0.5 + Math.random()))
    const startedAtMs = performance.now()
    const [answer] = await lanes[turn]!.send([request])
    if (place >= 0) elapsed.push(performance.now() - startedAtMs)
    if ((JSON.parse(answer!.toString()) as { final: boolean }).final !== true) throw new Error('an event is not final')
  }
  for (const lane of lanes) lane.close()
  return elapsed
}

/** The median with one validator killed, to the median before; the dead one is not asked. */
export async function measureOneCrashed(network: BenchNetwork, healthyP50: number, options: Options): Promise<Result> {
  const victim = network.nodes.at(-1)!
  victim.process.signal('SIGKILL')
  await victim.process.ended
  await pause(crashSettleMs)
  const crashed = await measureFinality(network.nodes.slice(0, -1), options)
  return plain('quorum.finality.oneCrashed.p50', 'times healthy', [percentile(crashed, 50) / healthyP50])
}
