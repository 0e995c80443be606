/** How blocks and chains are named to people. Pure. */
export const chainWords = {
  A: { title: 'Models and evidence', what: 'architectures, registered models, proofs of misbehaviour' },
  B: { title: 'Parameters', what: 'every version of every part of every model' },
  C: { title: 'Payments and records', what: 'transfers, health observations, duties' },
  D: { title: 'Data sets and agreements', what: 'what the network learns from and agrees on' }
}

/** One or two words under the number of a block. */
export function blockLabel(block) {
  return block.expert_name === null ? block.block_type : block.expert_name
}

/** The same in the few letters that fit on a block: `L3·E7`, `L3·router`, `health`. */
export function shortLabel({ expert_name, block_type }) {
  const [, layer, part] = /(?:^|\.)layer(\d+)\.(\w+)$/.exec(expert_name ?? '') ?? []
  if (layer !== undefined) return `L${layer}·${part.replace(/^expert(?=\d)/, 'E').slice(0, 6)}`
  return (expert_name?.split('.').at(-1) ?? block_type).split('-')[0]
}

/** Said by a screen reader on the button of a block. */
export function blockName(block) {
  const name = block.expert_name === null ? '' : ` ${block.expert_name}`
  const links = block.depends_on.length
  return `Chain ${block.chain_id}, block ${block.index}, ${block.block_type}${name}, depends on ${links} ${links === 1 ? 'block' : 'blocks'}`
}
