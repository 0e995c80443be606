/**
 * The inner loops of AdamW as a small WebAssembly module, four values at once: plain arithmetic, rounded after every operation,
 * so the bits are the same on every machine, and several times faster than rounding in JavaScript.
 */

/** Of the global of this name what is used here; the types for Node do not hold it. */
declare const WebAssembly: {
  Memory: new (limits: { initial: number; maximum: number }) => KernelMemory
  Module: new (bytes: Uint8Array<ArrayBuffer>) => object
  Instance: new (module: object, imports: object) => { readonly exports: Record<string, unknown> }
}

type KernelMemory = { readonly buffer: ArrayBuffer }

export type Move = {
  /** Of every gradient. */
  readonly scale: number
  readonly beta1: number
  readonly beta2: number
  /** Learning rate over the correction of the first moment. */
  readonly rate: number
  /** One over the root of the correction of the second moment. */
  readonly rootScale: number
  readonly epsilon: number
  /** What is left of a parameter after decay. */
  readonly keep: number
}

/**
 * One step of `count` values, a multiple of 4; all places are in bytes of the kernel's memory, multiples of 16. With g the
 * gradient times scale, m and v the moments:
 * m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g g; x = keep x - rate (m / (rootScale sqrt(v) + epsilon)).
 */
export type MoveValues = (
  places: { readonly first: number; readonly second: number; readonly values: number; readonly gradient: number },
  count: number,
  move: Move
) => void

export type AdamWKernel = {
  readonly memory: KernelMemory
  readonly move: MoveValues
  /** Sum of the squares of `count` values at `place`, in double precision; `count` and `place` as above. */
  readonly sumOfSquares: (place: number, count: number) => number
}

/** What addresses of 32 bits reach. */
export const kernelBytesMax = 2 ** 32

/** The memory is as large as `sizeBytes` asks, `kernelBytesMax` at most. */
export function openAdamWKernel(sizeBytes: number): AdamWKernel {
  const pages = Math.max(1, Math.ceil(sizeBytes / pageBytes))
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages })
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(moduleBytes()), { own: { memory } })
  const run = exports.move as (...parameters: readonly number[]) => void
  const squares = exports.squares as (place: number, count: number) => number
  return {
    memory,
    sumOfSquares: (place, count) => (count > 0 ? squares(place, count) : 0),
    move: ({ first, second, values, gradient }, count, { scale, beta1, beta2, rate, rootScale, epsilon, keep }) => {
      const betas = [beta1, beta2, 1 - beta1, 1 - beta2]
      if (count > 0) run(first, second, values, gradient, count, scale, ...betas, rate, rootScale, epsilon, keep)
    }
  }
}

const pageBytes = 65_536

// Parameters of the function are its first locals; the scalars' copies in all four lanes follow, then what the loop holds.
const [first, second, values, gradient, count] = [0, 1, 2, 3, 4]
const firstScalar = 5
const scalars = 9
const [scale, beta1, beta2, rest1, rest2, rate, rootScale, epsilon, keep] = [14, 15, 16, 17, 18, 19, 20, 21, 22]
const [slope, mean, square] = [23, 24, 25]

const [i32, f32, f64, v128, nothing] = [0x7f, 0x7d, 0x7c, 0x7b, 0x40]
const end = 0x0b
const add = [0xfd, 0xe4, 0x01]
const subtract = [0xfd, 0xe5, 0x01]
const times = [0xfd, 0xe6, 0x01]
const divide = [0xfd, 0xe7, 0x01]
const root = [0xfd, 0xe3, 0x01]
const load = (place: number): number[] => [...get(place), 0xfd, 0x00, 0x04, 0x00]
const store = [0xfd, 0x0b, 0x04, 0x00]
const get = (local: number): number[] => [0x20, local]
const set = (local: number): number[] => [0x21, local]
const keepAs = (local: number): number[] => [0x22, local]
const constant = (value: number): number[] => [0x41, value]

/** Source: https://webassembly.github.io/spec/core/binary/ */
function moduleBytes(): Uint8Array<ArrayBuffer> {
  const parameters = [i32, i32, i32, i32, i32, ...Array<number>(scalars).fill(f32)]
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, [2, 0x60, parameters.length, ...parameters, 0, 0x60, 2, i32, i32, 1, f64]),
    ...section(2, [1, ...text('own'), ...text('memory'), 0x02, 0x00, 1]),
    ...section(3, [2, 0, 1]),
    ...section(7, [2, ...text('move'), 0x00, 0, ...text('squares'), 0x00, 1]),
    ...section(10, [2, ...sized([1, scalars + 3, v128, ...moveBody()]), ...sized([1, 3, v128, ...squaresBody()])])
  ])
}

function moveBody(): number[] {
  const spread = Array.from({ length: scalars }, (_, i) => [
    ...get(firstScalar + i),
    ...[0xfd, 0x13],
    ...set(scale! + i)
  ])
  const onward = [first, second, values, gradient].flatMap(place => [
    ...get(place!),
    ...constant(16),
    0x6a,
    ...set(place!)
  ])
  return [
    ...spread.flat(),
    ...[0x03, nothing!],
    ...[...load(gradient!), ...get(scale!), ...times, ...set(slope!)],
    ...get(first!),
    ...[...get(beta1!), ...load(first!), ...times, ...get(rest1!), ...get(slope!), ...times, ...add, ...keepAs(mean!)],
    ...store,
    ...get(second!),
    ...[...get(beta2!), ...load(second!), ...times],
    ...[...get(rest2!), ...get(slope!), ...get(slope!), ...times, ...times, ...add, ...keepAs(square!)],
    ...store,
    ...get(values!),
    ...[...load(values!), ...get(keep!), ...times],
    ...[...get(rate!), ...get(mean!)],
    ...[...get(square!), ...root, ...get(rootScale!), ...times, ...get(epsilon!), ...add],
    ...[...divide, ...times, ...subtract],
    ...store,
    ...onward,
    ...[...get(count!), ...constant(4), 0x6b, ...keepAs(count!)],
    ...[0x0d, 0, end],
    end
  ]
}

/** The first two and the last two of each four values have sums of their own. */
function squaresBody(): number[] {
  const [place, rest, low, high, four] = [0, 1, 2, 3, 4]
  const widen = [0xfd, 0x5f]
  const lastTwoFirst = [0xfd, 0x0d, ...Array.from({ length: 16 }, (_, byte) => (byte + 8) % 16)]
  const [addWide, timesWide] = [
    [0xfd, 0xf0, 0x01],
    [0xfd, 0xf2, 0x01]
  ]
  const addSquare = (sum: number): number[] => [
    ...keepAs(four!),
    ...get(four!),
    ...timesWide!,
    ...get(sum),
    ...addWide!
  ]
  const lane = (number: number): number[] => [...get(low!), 0xfd, 0x21, number]
  return [
    ...[0x03, nothing!],
    ...[...load(place!), ...widen, ...addSquare(low!), ...set(low!)],
    ...[...load(place!), ...load(place!), ...lastTwoFirst, ...widen, ...addSquare(high!), ...set(high!)],
    ...[...get(place!), ...constant(16), 0x6a, ...set(place!)],
    ...[...get(rest!), ...constant(4), 0x6b, ...keepAs(rest!)],
    ...[0x0d, 0, end],
    ...[...get(low!), ...get(high!), ...addWide!, ...set(low!)],
    ...[...lane(0), ...lane(1), 0xa0],
    end
  ]
}

function section(number: number, content: readonly number[]): number[] {
  return [number, ...sized(content)]
}

/** Contents here are shorter than 16 KiB. */
function sized(content: readonly number[]): number[] {
  return [(content.length & 0x7f) | 0x80, content.length >>> 7, ...content]
}

function text(value: string): number[] {
  return [value.length, ...new TextEncoder().encode(value)]
}
