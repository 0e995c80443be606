import { createGraphBuilder, floats } from '../model/graph-builder.ts'

/** Products one after the other in one run, so that starting and copying count for little. */
export const productsPerRun = 8

/**
 * `left` [1] -> `sums` [size, 1]: eight products of matrices [size, size], made on the device from one number and so not
 * copied to it. Every element of the answer is that number.
 */
export function productsGraph(size: number): Uint8Array {
  const builder = createGraphBuilder()
  const filled = (columns: number): string => builder.add('Expand', ['left', builder.integers([size, columns])])
  const share = builder.float(1 / size)
  const ones = builder.add('Div', [filled(size), 'left'])
  const weights = builder.add('Mul', [ones, share])
  let product = filled(size)
  for (let count = 0; count < productsPerRun; count++) product = builder.add('MatMul', [product, weights])
  const column = builder.add('Mul', [builder.add('Div', [filled(1), 'left']), share])
  return builder.write(
    'products',
    [floats('left', 1)],
    [{ ...floats('sums', size, 1), value: builder.add('MatMul', [product, column]) }]
  )
}

/** `numbers` [count] -> `sum` []: little to compute and much to bring. */
export function transferGraph(count: number): Uint8Array {
  const builder = createGraphBuilder()
  const sum = builder.add('ReduceSum', ['numbers'], { keepdims: 0 })
  return builder.write('transfer', [floats('numbers', count)], [{ ...floats('sum'), value: sum }])
}
