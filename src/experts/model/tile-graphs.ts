import { createGraphBuilder, floats } from './graph-builder.ts'
import { activationZero } from './row-rounding.ts'

/** Graphs whose weights are given with every run: `x` times `weights` -> `product`, and the activation of an expert. */
export const tileGraphs: Readonly<Record<'outIn' | 'inOut' | 'integers' | 'activate', () => Uint8Array>> = {
  outIn() {
    const builder = createGraphBuilder()
    const product = builder.add('Gemm', ['x', 'weights'], { transB: 1 })
    const inputs = [floats('x', 'N', 'K'), floats('weights', 'M', 'K')]
    return builder.write('outIn', inputs, [{ ...floats('product', 'N', 'M'), value: product }])
  },
  inOut() {
    const builder = createGraphBuilder()
    const product = builder.add('MatMul', ['x', 'weights'])
    const inputs = [floats('x', 'N', 'K'), floats('weights', 'K', 'M')]
    return builder.write('inOut', inputs, [{ ...floats('product', 'N', 'M'), value: product }])
  },
  integers() {
    const builder = createGraphBuilder()
    const product = builder.add('MatMulInteger', ['x', 'weights', builder.byte(activationZero)])
    return builder.write(
      'integers',
      [
        { name: 'x', type: 'uint8', dimensions: ['N', 'K'] },
        { name: 'weights', type: 'int8', dimensions: ['K', 'M'] }
      ],
      [{ name: 'product', type: 'int32', dimensions: ['N', 'M'], value: product }]
    )
  },
  activate() {
    const builder = createGraphBuilder()
    const activated = builder.add('Mul', ['x', builder.add('Sigmoid', ['x'])])
    const product = builder.add('Mul', [activated, 'weights'])
    return builder.write(
      'activate',
      [floats('x', 'N'), floats('weights', 'N')],
      [{ ...floats('product', 'N'), value: product }]
    )
  }
}
