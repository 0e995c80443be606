import { BlyanError } from '../../errors/index.ts'

/** What a block builds on, by CID text. */
export type Dependencies = ReadonlyMap<string, readonly string[]>

/**
 * Topological order: dependencies first, ties in the order given. Throws CHAIN_CYCLE naming a block on the cycle, and
 * CHAIN_DEPENDENCY_UNKNOWN when a dependency is not among the blocks. Linear in blocks and links.
 */
export function topologicalOrder(graph: Dependencies): string[] {
  const open = new Map<string, number>()
  const children = new Map<string, string[]>()
  for (const [block, dependencies] of graph) {
    open.set(block, dependencies.length)
    for (const dependency of dependencies) {
      if (!graph.has(dependency)) throw new BlyanError('CHAIN_DEPENDENCY_UNKNOWN', { block, dependency })
      const list = children.get(dependency)
      if (list === undefined) children.set(dependency, [block])
      else list.push(block)
    }
  }
  const order = [...graph.keys()].filter(block => open.get(block) === 0)
  for (let place = 0; place < order.length; place++) {
    for (const child of children.get(order[place]!) ?? []) {
      const left = open.get(child)! - 1
      open.set(child, left)
      if (left === 0) order.push(child)
    }
  }
  if (order.length < graph.size) {
    const block = [...graph.keys()].find(one => open.get(one)! > 0)!
    throw new BlyanError('CHAIN_CYCLE', { block })
  }
  return order
}
