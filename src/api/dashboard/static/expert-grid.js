/** The parts of the network's models, by model and by layer. Pure. */
const plainModel = 'genesis'

/** `olmoe.layer0.expert3` belongs to `olmoe`; names without a model's name to the model of genesis. */
export function splitName(name) {
  const dot = name.indexOf('.')
  const first = dot < 0 ? name : name.slice(0, dot)
  if (/^layer\d+$/.test(first) || dot < 0) return { model: plainModel, part: name }
  return { model: first, part: name.slice(dot + 1) }
}

/**
 * Models in their order, each with its rows: one for what belongs to no layer, then one for each layer. Who holds a part
 * is said of experts only, and only once somebody has said that it holds any: the rest runs where the question is asked.
 */
export function groupParts(experts) {
  const knowsHolders = experts.some(expert => expert.holders > 0)
  const models = new Map()
  for (const expert of experts) {
    const { model, part } = splitName(expert.name)
    if (!models.has(model)) models.set(model, { name: model, parts: [], rows: new Map() })
    const group = models.get(model)
    const item = { ...expert, part, holders: knowsHolders && expert.blockType === 'expert' ? expert.holders : null }
    group.parts.push(item)
    const layer = expert.layer ?? -1
    if (!group.rows.has(layer)) group.rows.set(layer, [])
    group.rows.get(layer).push(item)
  }
  return [...models.values()].map(({ name, parts, rows }) => ({
    name,
    parts,
    rows: [...rows]
      .sort(([a], [b]) => a - b)
      .map(([layer, items]) => ({ layer, items: items.sort((a, b) => placeOf(a) - placeOf(b)) }))
  }))
}

/** Where a part stands in its layer: the shared ones first, then the experts by number. */
function placeOf({ part }) {
  const number = /expert(\d+)$/.exec(part)
  return number === null ? -1 : Number(number[1])
}

/** How a cell looks: held here, by so many others, or by nobody that is known. */
export function cellTone({ local, holders }) {
  if (local) return 'here'
  if (holders === null) return 'unknown'
  return holders === 0 ? 'nowhere' : holders === 1 ? 'one' : 'many'
}

export function cellName(part) {
  const where = part.local ? 'here' : 'not here'
  const others = part.holders === null ? '' : `, held by ${part.holders} ${part.holders === 1 ? 'other' : 'others'}`
  return `${part.part}, ${where}${others}`
}

/** The cell an arrow leads to from a row and a column. */
export function walkGrid(key, rows, row, column) {
  const clamp = (value, length) => Math.max(0, Math.min(length - 1, value))
  switch (key) {
    case 'ArrowLeft':
      return { row, column: clamp(column - 1, rows[row].items.length) }
    case 'ArrowRight':
      return { row, column: clamp(column + 1, rows[row].items.length) }
    case 'ArrowUp':
    case 'ArrowDown': {
      const to = clamp(row + (key === 'ArrowUp' ? -1 : 1), rows.length)
      return { row: to, column: clamp(column, rows[to].items.length) }
    }
    case 'Home':
      return { row, column: 0 }
    case 'End':
      return { row, column: rows[row].items.length - 1 }
  }
  return undefined
}
