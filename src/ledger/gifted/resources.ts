import type { Resources } from './node.ts'

/** Of each the less; a round trip that is not known is the longest. */
export function least(one: Resources, other: Resources): Resources {
  return {
    cores: Math.min(one.cores, other.cores),
    megaflops: Math.min(one.megaflops, other.megaflops),
    memoryBytes: Math.min(one.memoryBytes, other.memoryBytes),
    diskFreeBytes: Math.min(one.diskFreeBytes, other.diskFreeBytes),
    diskWriteBytesPerSecond: Math.min(one.diskWriteBytesPerSecond, other.diskWriteBytesPerSecond),
    peers: Math.min(one.peers, other.peers),
    roundTripMs:
      one.roundTripMs === null || other.roundTripMs === null ? null : Math.max(one.roundTripMs, other.roundTripMs)
  }
}
