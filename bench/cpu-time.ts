import { readFileSync } from 'node:fs'

const ticksPerSecond = 100

/** Processor seconds that a process has used, all threads or one; undefined where there is no /proc. */
export function cpuSeconds(pid: number, thread?: number): number | undefined {
  const path = thread === undefined ? `/proc/${pid}/stat` : `/proc/${pid}/task/${thread}/stat`
  try {
    const fields = readFileSync(path, 'latin1').split(') ').at(-1)!.split(' ')
    return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
  } catch {
    return undefined
  }
}
