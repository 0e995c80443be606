import type { MadeDelta } from '../../src/learning/delta-maker.ts'
import {
  codecNamed,
  type DeltaFile,
  type DeltaFileHeader,
  digestOfValues,
  packDeltaFile
} from '../../src/tiles/index.ts'
import type { Values } from './bench-model.ts'

/**
 * What a learner may do instead of learning. A copy is what another one published, under another name; a stale delta is the
 * first one again as it was, a relabelled one its values under the name of each new version.
 */
export const hostileKinds = ['sign flip x10', 'random', 'copy', 'stale', 'relabelled', 'NaN'] as const
export type HostileKind = (typeof hostileKinds)[number]

export type HostileInput = {
  readonly kind: HostileKind
  /** Of this round, with the hostile one as author. */
  readonly header: DeltaFileHeader
  readonly bases: ReadonlyMap<string, string>
  /** What an honest learner trained in this round, and what it sends. */
  readonly honest: Values
  readonly file: DeltaFile
  /** The same of the first round, with its bases. */
  readonly first: { readonly file: DeltaFile; readonly bases: ReadonlyMap<string, string> }
}

/** Changes to be encoded as honest ones are, or a file as it is sent. */
export function hostileDelta(input: HostileInput): Values | MadeDelta {
  const { kind, header, bases, honest, file, first } = input
  switch (kind) {
    case 'sign flip x10':
      return mapped(honest, value => -10 * value)
    case 'random': {
      let state = header.round
      const next = (): number => {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0
        return state / 2 ** 31
      }
      return mapped(honest, value => 3 * Math.abs(value) * Math.sign(next()) + 1e-3 * next())
    }
    case 'copy':
      return resent(file, header, bases)
    case 'stale':
      return resent(first.file, header, first.bases)
    case 'relabelled':
      return resent(first.file, header, bases)
    case 'NaN':
      return withNaN(header, bases, honest)
  }
}

/** Another's frames in a file of one's own. */
function resent(file: DeltaFile, header: DeltaFileHeader, bases: ReadonlyMap<string, string>): MadeDelta {
  const frames = file.parts.flatMap(part => file.framesOf(part).map(frame => ({ ...frame, base: bases.get(part)! })))
  return asMade(packDeltaFile(header, frames))
}

/** A file that an honest encoder does not write: plain numbers, one of them none. */
function withNaN(header: DeltaFileHeader, bases: ReadonlyMap<string, string>, honest: Values): MadeDelta {
  const frames = [...honest].slice(0, 1).map(([part, values]) => {
    const spoiled = Float32Array.from(values)
    spoiled[7] = Number.NaN
    const bytes = new Uint8Array(spoiled.buffer)
    const decodedDigest = digestOfValues(spoiled)
    const { name: codec } = codecNamed('fp32')
    return { part, tile: 0, base: bases.get(part)!, length: values.length, codec, bytes, decodedDigest }
  })
  return asMade(packDeltaFile(header, frames))
}

function asMade(bytes: Uint8Array): MadeDelta {
  return { bytes, keepFeedback: async () => {} }
}

function mapped(values: Values, change: (value: number) => number): Values {
  return new Map([...values].map(([name, of]) => [name, of.map(change)]))
}
