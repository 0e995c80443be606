/**
 * The training step of a genesis-family model in @jax-js/jax, on its WebAssembly device, for comparison with our graphs: the same
 * loss of the same parameters and tokens, gradients by its own differentiation, AdamW, all in one `jit`. Its shapes are fixed, so every
 * expert computes every row and the router's weights are zero where it was not chosen; the numbers are the same.
 */
import { type Array as Jax, jit, lax, nn, numpy as np, valueAndGrad } from '@jax-js/jax'
import type { ArchitectureV1 } from '../../src/experts/index.ts'
import { shapeOf } from '../../src/experts/index.ts'
import type { AdamWSettings } from '../../src/experts/training/adamw.ts'
import type { PositionTables } from '../../src/experts/training/position-tables.ts'

export type JaxParameter = {
  readonly data: Float32Array
  readonly dimensions: readonly number[]
  readonly decays: boolean
}

export interface JaxTrainer {
  /** `tokens` and `targets` are [sequences x sequenceTokens]. Returns the cross-entropy before the step. */
  step(tokens: Int32Array<ArrayBuffer>, targets: Int32Array<ArrayBuffer>, learningRate: number): Promise<number>
}

export type JaxStepSettings = {
  readonly sequences: number
  readonly sequenceTokens: number
  readonly balance: number
  readonly zLoss: number
  readonly optimiser: AdamWSettings
}

type Arrays = Record<string, Jax>

export function createJaxTrainer(
  architecture: ArchitectureV1,
  parameters: ReadonlyMap<string, JaxParameter>,
  tables: PositionTables,
  settings: JaxStepSettings
): JaxTrainer {
  const arrays = (): Arrays =>
    Object.fromEntries(
      [...parameters].map(([name, { data, dimensions }]) => [name, np.array(data.slice()).reshape([...dimensions])])
    )
  const zeros = (): Arrays =>
    Object.fromEntries([...parameters].map(([name, { dimensions }]) => [name, np.zeros([...dimensions])]))
  const loss = lossOf(architecture, tables, settings)
  const differentiate = valueAndGrad(loss, { hasAux: true })
  const run = jit((values: Arrays, first: Arrays, second: Arrays, tokens: Jax, targets: Jax, numbers: Jax) => {
    const [[, value], gradients] = differentiate(values, tokens, targets) as [[Jax, Jax], Arrays]
    return [value, ...move(values, gradients, first, second, numbers, parameters, settings.optimiser)] as const
  })
  let state: readonly [Arrays, Arrays, Arrays] = [arrays(), zeros(), zeros()]
  let steps = 0
  return {
    async step(tokens, targets, learningRate) {
      steps++
      const { beta1, beta2, weightDecay } = settings.optimiser
      const numbers = np.array(
        Float32Array.of(
          learningRate / (1 - beta1 ** steps),
          1 / Math.sqrt(1 - beta2 ** steps),
          1 - learningRate * weightDecay
        )
      )
      const [value, values, first, second] = run(...state, np.array(tokens), np.array(targets), numbers) as [
        Jax,
        Arrays,
        Arrays,
        Arrays
      ]
      state = [values, first, second]
      await Promise.all(Object.values(values).map(array => array.blockUntilReady()))
      return (await value.data())[0]!
    }
  }
}

/** Arrays are counted references: every use but the last needs one more, and one too many does no harm while tracing. */
function lossOf(architecture: ArchitectureV1, tables: PositionTables, settings: JaxStepSettings) {
  const shape = shapeOf(architecture)
  const { heads, keyValueHeads, headWidth, experts, expertsPerToken, layers } = shape
  const { sequences: B, sequenceTokens: S } = settings
  const N = B * S
  const table = (name: keyof PositionTables): Jax =>
    np.array(tables[name].data.slice()).reshape([...tables[name].dimensions])
  const constants = { cosines: table('cosines'), sines: table('sines'), mask: table('mask') }
  const norm = (x: Jax, weight: Jax): Jax => {
    const mean = np.mean(x.ref.mul(x.ref), -1, { keepdims: true })
    return x.ref.div(np.sqrt(mean.add(shape.normEpsilon))).mul(weight.ref)
  }
  const toHeads = (x: Jax, count: number): Jax => np.transpose(x.reshape([B, S, count, headWidth]), [0, 2, 1, 3])
  const rotate = (x: Jax): Jax => {
    const half = headWidth / 2
    const first = x.ref.slice([], [], [], [0, half])
    const second = x.ref.slice([], [], [], [half, headWidth])
    const turned = np.concatenate([second.neg(), first], 3)
    return x.ref.mul(constants.cosines.ref).add(turned.mul(constants.sines.ref))
  }
  const attention = (p: Arrays, part: string, x: Jax): Jax => {
    const project = (name: string, count: number): Jax =>
      toHeads(np.matmul(x.ref, np.transpose(p[`${part}/${name}`]!.ref)), count)
    const group = heads / keyValueHeads
    const queries = rotate(project('query', heads)).reshape([B, keyValueHeads, group * S, headWidth])
    const keys = rotate(project('key', keyValueHeads))
    const values = project('value', keyValueHeads)
    const products = np.matmul(queries.mul(1 / Math.sqrt(headWidth)), np.transpose(keys, [0, 1, 3, 2]))
    const scores = products.reshape([B, heads, S, S]).add(constants.mask.ref)
    const shares = nn.softmax(scores, -1).reshape([B, keyValueHeads, group * S, S])
    const mixed = np.matmul(shares, values).reshape([B, heads, S, headWidth])
    const rows = np.transpose(mixed, [0, 2, 1, 3]).reshape([N, heads * headWidth])
    return np.matmul(rows, np.transpose(p[`${part}/output`]!.ref))
  }
  const mixture = (p: Arrays, layer: number, x: Jax): [Jax, Jax, Jax] => {
    const logits = np.matmul(x.ref, np.transpose(p[`layer${layer}.router/router`]!.ref))
    const [highest] = lax.topK(lax.stopGradient(logits.ref), expertsPerToken)
    const isChosen = logits.ref.greaterEqual(np.min(highest, -1, { keepdims: true }))
    const weights = nn.softmax(np.where(isChosen.ref, logits.ref, -1e30), -1)
    let output: Jax | undefined
    for (let expert = 0; expert < experts; expert++) {
      const slice = (name: string): Jax => p[`layer${layer}.expert${expert}/${name}`]!.ref
      const inner = nn.silu(np.matmul(x.ref, slice('gate'))).mul(np.matmul(x.ref, slice('up')))
      const result = np.matmul(inner, np.transpose(slice('down')))
      const own = result.mul(weights.ref.slice([], [expert, expert + 1]))
      output = output === undefined ? own : output.add(own)
    }
    const used = np.mean(isChosen.ref.astype(np.float32), 0).mul(1 / expertsPerToken)
    const mean = np.mean(nn.softmax(logits.ref, -1), 0)
    const balance = np.sum(used.mul(mean)).mul(experts)
    const size = nn.logsumexp(logits.ref, -1)
    return [output!, balance, np.mean(size.ref.mul(size.ref))]
  }
  return (p: Arrays, tokens: Jax, targets: Jax): [Jax, Jax] => {
    const table = p['embedding/embeddings']!
    let hidden = np.matmul(nn.oneHot(tokens, shape.vocabulary), table.ref).mul(shape.embeddingFactor)
    let extra: Jax = np.zeros([])
    for (let layer = 0; layer < layers; layer++) {
      const part = `layer${layer}.attention`
      hidden = hidden.ref.add(attention(p, part, norm(hidden.ref, p[`${part}/attentionNorm`]!)))
      const [mixed, balance, size] = mixture(p, layer, norm(hidden.ref, p[`${part}/expertsNorm`]!))
      hidden = hidden.ref.add(mixed)
      extra = extra.add(balance.mul(settings.balance / layers)).add(size.mul(settings.zLoss / layers))
    }
    const logits = np.matmul(norm(hidden.ref, p['embedding/finalNorm']!), np.transpose(table.ref))
    const chosen = np.sum(nn.logSoftmax(logits, -1).mul(nn.oneHot(targets, shape.vocabulary)))
    const crossEntropy = chosen.mul(-1 / N).reshape([])
    return [crossEntropy.ref.add(extra).reshape([]), crossEntropy]
  }
}

function move(
  values: Arrays,
  gradients: Arrays,
  first: Arrays,
  second: Arrays,
  numbers: Jax,
  parameters: ReadonlyMap<string, JaxParameter>,
  { beta1, beta2, epsilon, clipNorm }: AdamWSettings
): [Arrays, Arrays, Arrays] {
  const names = [...parameters.keys()]
  const squares = names.map(name => np.sum(gradients[name]!.ref.mul(gradients[name]!.ref)))
  const length = np.sqrt(squares.reduce((total, square) => total.add(square)))
  const factor = np.minimum(np.reciprocal(length).mul(clipNorm), 1)
  const number = (place: number): Jax => numbers.ref.slice(place)
  const moved: [Arrays, Arrays, Arrays] = [{}, {}, {}]
  for (const name of names) {
    const gradient = gradients[name]!.ref.mul(factor.ref)
    const mean = first[name]!.ref.mul(beta1).add(gradient.ref.mul(1 - beta1))
    const square = second[name]!.ref.mul(beta2).add(gradient.ref.mul(gradient.ref).mul(1 - beta2))
    const size = np.sqrt(square.ref).mul(number(1)).add(epsilon)
    const kept = parameters.get(name)!.decays ? values[name]!.ref.mul(number(2)) : values[name]!.ref
    moved[0][name] = kept.sub(mean.ref.div(size).mul(number(0)))
    moved[1][name] = mean
    moved[2][name] = square
  }
  return moved
}
