import { readFile } from 'node:fs/promises'

export type NamedMap = { readonly name: string; readonly tableBytes: number }

type Snapshot = {
  readonly snapshot: {
    readonly meta: {
      readonly node_fields: string[]
      readonly node_types: [string[], ...unknown[]]
      readonly edge_fields: string[]
      readonly edge_types: [string[], ...unknown[]]
    }
  }
  readonly nodes: number[]
  readonly edges: number[]
  readonly strings: string[]
}

const collections = new Set(['Map', 'Set'])

/**
 * The maps and sets of a heap snapshot by the size of their tables, largest first, named by the class that holds them and
 * its field. Those of one name are added up.
 */
export async function longLivedMaps(file: string): Promise<NamedMap[]> {
  const { snapshot, nodes, edges, strings } = JSON.parse(await readFile(file, 'utf8')) as Snapshot
  const { node_fields, node_types, edge_fields, edge_types } = snapshot.meta
  const nodeSize = node_fields.length
  const edgeSize = edge_fields.length
  const at = (fields: readonly string[], name: string): number => fields.indexOf(name)
  const [typeAt, nameAt, selfAt, countAt] = ['type', 'name', 'self_size', 'edge_count'].map(name =>
    at(node_fields, name)
  )
  const [edgeTypeAt, edgeNameAt, toAt] = ['type', 'name_or_index', 'to_node'].map(name => at(edge_fields, name))
  const isCollection = (node: number): boolean =>
    node_types[0][nodes[node + typeAt!]!] === 'object' && collections.has(strings[nodes[node + nameAt!]!]!)
  const totals = new Map<string, number>()
  const tables = new Map<number, number>()
  const owners = new Map<number, string>()
  for (let node = 0, edge = 0; node < nodes.length; node += nodeSize) {
    const owner = strings[nodes[node + nameAt!]!]!
    for (const end = edge + nodes[node + countAt!]! * edgeSize; edge < end; edge += edgeSize) {
      const kind = edge_types[0][edges[edge + edgeTypeAt!]!]
      const to = edges[edge + toAt!]!
      const name = kind === 'element' || kind === 'hidden' ? '' : strings[edges[edge + edgeNameAt!]!]!
      if (isCollection(node) && name === 'table') tables.set(node, nodes[to + selfAt!]!)
      if ((kind === 'property' || kind === 'context') && isCollection(to) && !owners.has(to))
        owners.set(to, `${kind === 'context' ? '' : `${owner}.`}${name.replace(/^<symbol (.*)>$/, '$1')}`)
    }
  }
  for (const [map, tableBytes] of tables) {
    const name = owners.get(map) ?? 'held by nothing with a name'
    totals.set(name, (totals.get(name) ?? 0) + tableBytes)
  }
  return [...totals].map(([name, tableBytes]) => ({ name, tableBytes })).sort((a, b) => b.tableBytes - a.tableBytes)
}
