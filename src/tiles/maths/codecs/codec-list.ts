import { chunkElements } from '../chunks.ts'
import type { RankRule } from '../low-rank.ts'
import type { SparseRule } from '../sparse-section.ts'
import type { TileLayout } from '../tile-layout.ts'
import { type CodecName, codecNames, type DeltaCodec, deltaInvalid } from './codec.ts'
import { PlainCodec, ScaledCodec } from './dense-codecs.ts'
import { LowRankCodec, seedOrder } from './low-rank-codecs.ts'
import { SparseCodec } from './sparse-codecs.ts'

/** Large matrices have ranks near 1.6% of their shorter side; small ones, where a rank costs less, up to 6%. */
const rank = (rankMax: number, sidePerRank = 16, codeBits: RankRule['codeBits'] = 8): RankRule => ({
  rankMax,
  sidePerRank,
  codeBits
})
const pairs = (kept: number, places: SparseRule['places'] = 'packed'): SparseRule => ({ kept, places, values: 'pairs' })

const signs = (kept: number): SparseRule => ({ kept, places: 'rice', values: 'signs' })

const makers: { readonly [name in CodecName]: (identity: { name: name; id: number }) => DeltaCodec } = {
  fp32: () => new PlainCodec(),
  int8: identity => new ScaledCodec(identity, { codeBits: 8, blockElements: 256 }),
  int4: identity => new ScaledCodec(identity, { codeBits: 4, blockElements: 128 }),
  'topk20-int8': identity =>
    new SparseCodec(identity, { rank: null, sparse: { kept: 820, places: 'bitmap', values: 'int8' } }),
  'k410-2b': identity => new SparseCodec(identity, { rank: null, sparse: pairs(410, 'bitmap') }),
  'k256-2b': identity => new SparseCodec(identity, { rank: null, sparse: pairs(256) }),
  'lr8+k32': identity => new SparseCodec(identity, { rank: rank(8), sparse: pairs(32) }),
  'lr16+k32': identity => new SparseCodec(identity, { rank: rank(16), sparse: pairs(32) }),
  'lr8-int8': identity => new LowRankCodec(identity, rank(8)),
  'lr4+k16': identity => new SparseCodec(identity, { rank: rank(4, 32), sparse: pairs(16) }),
  'k64-2b': identity => new SparseCodec(identity, { rank: null, sparse: pairs(64) }),
  'k64-2b-rice': identity => new SparseCodec(identity, { rank: null, sparse: pairs(64, 'rice') }),
  'seed-v0': identity => new LowRankCodec(identity, rank(8), seedOrder),
  'lr8-4b+k512-1b': identity => new SparseCodec(identity, { rank: rank(8, 32, 4), sparse: signs(512) }),
  'lr8-4b+k56-1b': identity => new SparseCodec(identity, { rank: rank(8, 64, 4), sparse: signs(56) })
}

const codecs = new Map<CodecName, DeltaCodec>(
  codecNames.map((name, id) => [name, (makers[name] as (identity: object) => DeltaCodec)({ name, id })])
)

export const defaultCodec: CodecName = 'lr8+k32'

export function codecNamed(name: CodecName): DeltaCodec {
  return codecs.get(name)!
}

/** Throws DELTA_INVALID: ids come out of files. */
export function codecById(id: number): DeltaCodec {
  const name = codecNames[id]
  if (name === undefined) throw deltaInvalid(`there is no codec ${id}`)
  return codecNamed(name)
}

/**
 * The codec a learner uses for one tile when it chose `name` for the whole delta: tiles of one chunk at most (routers, norms)
 * are a thousandth of a model and steer all of it, so they go dense.
 */
export function codecForTile(name: CodecName, layout: TileLayout): DeltaCodec {
  const codec = codecNamed(name)
  if (!codec.usesErrorFeedback || layout.length > chunkElements) return codec
  return codecNamed(smallestCodecs.has(name) ? 'int4' : 'int8')
}

/** Beside these a router in int8 would be a tenth of what is sent. */
const smallestCodecs: ReadonlySet<CodecName> = new Set(['lr4+k16', 'k64-2b', 'k64-2b-rice', 'lr8-4b+k56-1b'])
