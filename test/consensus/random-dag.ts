import type { Committee } from '../../src/consensus/core/committee.ts'
import { refOf, type Vertex } from '../../src/consensus/core/vertex.ts'
import type { Random } from '../sim/random.ts'
import { genesisOfCommittee, vertexOf } from './dag-builder.ts'

export type RandomDagPlan = {
  readonly rounds: number
  /** This author makes a second vertex in some slots; undefined for nobody. */
  readonly liar?: number | undefined
  /** This author pauses most of the time. */
  readonly idler?: number | undefined
  /** Every vertex references the newest of everybody, and nobody pauses for more than three rounds. */
  readonly isOrderly?: boolean
}

/** A graph such as an asynchronous network makes: quorums of any shape, pauses, references to older vertices, twins. */
export function randomDag(random: Random, committee: Committee, plan: RandomDagPlan): Vertex[] {
  const authors = committee.validators.map((_, author) => author)
  const vertices: Vertex[] = []
  let previous: Vertex[][] = genesisOfCommittee(committee).map(vertex => [vertex])
  const newest: Vertex[][] = previous.map(slot => [...slot])
  for (let round = 1; round <= plan.rounds; round++) {
    const made: Vertex[][] = authors.map(() => [])
    const pauses = (author: number): boolean =>
      random.chance(author === plan.idler ? 0.8 : 0.25) &&
      (plan.isOrderly !== true || newest[author]![0]!.header.round > round - 3)
    const proposers = quorumOf(random, committee, authors, author => !pauses(author))
    for (const author of proposers) {
      const copies = author === plan.liar && random.chance(0.5) ? 2 : 1
      for (let copy = 0; copy < copies; copy++) {
        const present = authors.filter(one => previous[one]!.length > 0)
        const chosen = quorumOf(random, committee, present, () => plan.isOrderly === true || random.chance(0.6))
        const parents = chosen.map(one => refOf(random.pick(previous[one]!)))
        const own = random.pick(newest[author]!)
        const all = [refOf(own), ...parents.filter(parent => parent.author !== author)]
        for (const one of authors) {
          const old = newest[one]![0]!
          if (all.some(parent => parent.author === one) || old.header.round === 0) continue
          if (plan.isOrderly === true || random.chance(0.2)) all.push(refOf(old))
        }
        if (weightAt(committee, all, round - 1) < committee.quorumWeight) continue
        const timestampMs = round * 100 + random.integer(-300, 300) + 1000
        made[author]!.push(vertexOf({ author, round, parents: all, timestampMs, events: [Uint8Array.of(copy)] }))
      }
    }
    if (weightOf(committee, made) < committee.quorumWeight) {
      round--
      continue
    }
    for (const author of authors) if (made[author]!.length > 0) newest[author] = [...made[author]!]
    vertices.push(...made.flat())
    previous = made
  }
  return vertices
}

export function shuffled<T>(random: Random, list: readonly T[]): T[] {
  const out = [...list]
  for (let i = out.length - 1; i > 0; i--) {
    const j = random.integer(0, i)
    ;[out[i], out[j]] = [out[j]!, out[i]!]
  }
  return out
}

/** Those whom `wanted` picks, and others at random until they are a quorum. */
function quorumOf(
  random: Random,
  committee: Committee,
  from: readonly number[],
  wanted: (author: number) => boolean
): number[] {
  const chosen = new Set(from.filter(wanted))
  for (const author of shuffled(random, from)) {
    const weight = [...chosen].reduce((sum, one) => sum + committee.validators[one]!.weight, 0)
    if (weight >= committee.quorumWeight) break
    chosen.add(author)
  }
  return [...chosen].sort((a, b) => a - b)
}

function weightAt(committee: Committee, parents: readonly { round: number; author: number }[], round: number): number {
  return parents.reduce(
    (sum, parent) => sum + (parent.round === round ? committee.validators[parent.author]!.weight : 0),
    0
  )
}

function weightOf(committee: Committee, made: readonly (readonly Vertex[])[]): number {
  return made.reduce((sum, slot, author) => sum + (slot.length > 0 ? committee.validators[author]!.weight : 0), 0)
}
