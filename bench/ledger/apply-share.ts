import { cpuSeconds } from '../cpu-time.ts'
import type { CpuProfile } from '../network.ts'
import { cost, type Options, plain, type Result } from '../report.ts'
import type { LedgerLoad } from './load.ts'

const shareMax = 0.25

/**
 * How much of one validator's time goes into applying events and making state roots: the part of its thread that a
 * profile finds below `Executor.execute` (which also has the clocks, blocks and leaves), times the part that this thread
 * has of the processor time of all threads.
 */
export async function measureApplyShare(load: LedgerLoad, { quick, note }: Options): Promise<Result[]> {
  const shares: number[] = []
  const rootShares: number[] = []
  const node = load.nodes[0]!
  for (let run = 0; run < (quick ? 2 : 5); run++) {
    note(`share of applying, run ${run + 1}`)
    const threadShare = partOfMainThread(node.pid)
    const profile = await node.profiled(async () => void (await load.run('transfers')))
    const ofThread = threadShare() ?? 1
    shares.push(shareBelow(profile, 'execute', 'executor.ts') * ofThread)
    rootShares.push(shareBelow(profile, 'root', 'state.ts') * ofThread)
  }
  return [
    cost('ledger.applyShare', 'share', shares, [shareMax], 'aim'),
    plain('ledger.applyShare.stateRoot', 'share', rootShares)
  ]
}

/** The main thread's part of the processor time from now until it is asked; undefined where there is no /proc. */
function partOfMainThread(pid: number): () => number | undefined {
  const [mainBefore, allBefore] = [cpuSeconds(pid, pid), cpuSeconds(pid)]
  return () => {
    const [main, all] = [cpuSeconds(pid, pid), cpuSeconds(pid)]
    if (main === undefined || mainBefore === undefined) return undefined
    return (main - mainBefore) / (all! - allBefore!)
  }
}

/** Time in a function and all that it calls, as a share of the time in which the thread was not idle. */
function shareBelow(profile: CpuProfile, functionName: string, file: string): number {
  const within = new Set<number>()
  const idle = new Set<number>()
  // Parents come before their children.
  for (const { id, callFrame, children = [] } of profile.nodes) {
    if (callFrame.functionName === functionName && callFrame.url.endsWith(`/${file}`)) within.add(id)
    if (callFrame.functionName === '(idle)') idle.add(id)
    if (within.has(id)) for (const child of children) within.add(child)
  }
  let [inside, busy] = [0, 0]
  for (const [place, id] of profile.samples.entries()) {
    // A sample stands for the time until the next.
    const microseconds = profile.timeDeltas[place + 1] ?? 0
    if (within.has(id)) inside += microseconds
    if (!idle.has(id)) busy += microseconds
  }
  return inside / busy
}
