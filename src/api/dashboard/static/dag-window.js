/** What of the chains is in sight, and where a key leads from a block. Pure. */
export const chainIds = ['A', 'B', 'C', 'D']
export const blocksInSight = 16

/** First index of a window that shows `index` in its middle, or the newest blocks. */
export function windowAround(index, height, size = blocksInSight) {
  const last = Math.max(0, height - size)
  return index === undefined ? last : Math.min(last, Math.max(0, index - (size >> 1)))
}

/** Every link between blocks in sight, from the block that depends to the one it depends on. */
export function linksBetween(blocks) {
  const known = new Map(blocks.map(block => [block.cid, block]))
  return blocks.flatMap(from => from.depends_on.flatMap(cid => (known.has(cid) ? [{ from, to: known.get(cid) }] : [])))
}

/** Blocks among those known that depend on this one. */
export function dependents(blocks, cid) {
  return blocks.filter(block => block.depends_on.includes(cid))
}

/**
 * Where an arrow leads: along the chain, or to the next chain up or down that has blocks, at the same place in sight.
 * `older` and `newer`: the way leads out of sight. `lanes`: per chain its blocks in sight, in their order.
 */
export function walk(key, lanes, chain, place) {
  const lane = lanes[chain]
  switch (key) {
    case 'ArrowLeft':
      return place > 0 ? { chain, place: place - 1 } : { chain, leads: 'older' }
    case 'ArrowRight':
      return place < lane.length - 1 ? { chain, place: place + 1 } : { chain, leads: 'newer' }
    case 'Home':
      return { chain, place: 0 }
    case 'End':
      return { chain, place: lane.length - 1 }
    case 'ArrowUp':
    case 'ArrowDown': {
      const step = key === 'ArrowUp' ? -1 : 1
      for (let at = chainIds.indexOf(chain) + step; at >= 0 && at < chainIds.length; at += step) {
        const other = lanes[chainIds[at]]
        if (other.length > 0) return { chain: chainIds[at], place: Math.min(place, other.length - 1) }
      }
      return { chain, place }
    }
  }
  return undefined
}

/**
 * The line of a link between two boxes, as an SVG path: an arc above the lane within a chain, a curve between chains.
 * Boxes have `x`, `y`, `width`, `height`.
 */
export function linkPath(from, to, sameChain) {
  if (sameChain) {
    const [right, left] = [from.x, to.x + to.width]
    if (right - left < to.width) return `M${right} ${middle(from)}L${left} ${middle(to)}`
    const [start, end] = [from.x + from.width / 2, to.x + to.width / 2]
    const lift = Math.min(26, 10 + (start - end) / 40)
    return `M${start} ${from.y}C${start} ${from.y - lift} ${end} ${to.y - lift} ${end} ${to.y}`
  }
  const isBelow = from.y > to.y
  const start = { x: from.x + from.width / 2, y: isBelow ? from.y : from.y + from.height }
  const end = { x: to.x + to.width / 2, y: isBelow ? to.y + to.height : to.y }
  const half = (start.y + end.y) / 2
  return `M${start.x} ${start.y}C${start.x} ${half} ${end.x} ${half} ${end.x} ${end.y}`
}

function middle(box) {
  return box.y + box.height / 2
}
