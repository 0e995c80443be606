import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/**
 * Tells one life of a process id from another: after a crash or a reboot the id may belong to a stranger.
 * Linux gives the boot id and the start tick of a process, macOS its start second; elsewhere only the id is known.
 */
export function processStartMark(pid: number): string | null {
  try {
    return process.platform === 'linux'
      ? linuxStartMark(pid)
      : process.platform === 'darwin'
        ? darwinStartMark(pid)
        : null
  } catch {
    return null
  }
}

function linuxStartMark(pid: number): string | null {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The second field is the program's name and may hold spaces and brackets: count after its last bracket.
  const ticks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  return ticks === undefined ? null : `${boot}:${ticks}`
}

function darwinStartMark(pid: number): string {
  return execFileSync('/bin/ps', ['-o', 'lstart=', '-p', String(pid)], {
    encoding: 'utf8',
    timeout: 2000,
    env: { LC_ALL: 'C' }
  }).trim()
}

export function processIsAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
    return !isZombie(pid)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** True while the very process that had `startMark` lives. */
export function isSameProcess(pid: number, startMark: string | null): boolean {
  if (!processIsAlive(pid)) return false
  const now = processStartMark(pid)
  return now === null || startMark === null || now === startMark
}

/** Dead, holding nothing, and only waiting for its parent to read its exit code. */
function isZombie(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.charAt(stat.lastIndexOf(')') + 2) === 'Z'
  } catch {
    return false
  }
}
