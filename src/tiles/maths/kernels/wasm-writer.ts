/**
 * Just enough of WebAssembly to write a few loops over a memory. Its vector instructions (without the relaxed ones) give the
 * same bits on every machine, four times as fast as numbers one by one. Expressions are arrays of bytes that leave one value.
 */
export type Code = readonly number[]

export type WasmFunction = {
  readonly name: string
  /** All of type i32. */
  readonly parameters: number
  /** Beside the parameters, which come first. */
  readonly integers: number
  readonly vectors: number
  readonly isResult: boolean
  readonly body: Code
}

const integerType = 0x7f
const vectorType = 0x7b
const noType = 0x40

export function get(local: number): Code {
  return [0x20, ...unsigned(local)]
}

export function set(local: number, value: Code): Code {
  return [...value, 0x21, ...unsigned(local)]
}

export function integer(value: number): Code {
  return [0x41, ...signed(value)]
}

const binary =
  (opcode: number) =>
  (first: Code, second: Code): Code => [...first, ...second, opcode]
export const add = binary(0x6a)
export const subtract = binary(0x6b)
export const multiply = binary(0x6c)
export const and = binary(0x71)
export const shiftLeft = binary(0x74)
export const shiftRight = binary(0x76)
export const isEqual = binary(0x46)
export const isLess = binary(0x49)
export const isMore = binary(0x4b)
export const isAtLeast = binary(0x4f)

export function load(address: Code, offset = 0): Code {
  return [...address, 0x28, 2, ...unsigned(offset)]
}

export function store(address: Code, value: Code, offset = 0): Code {
  return [...address, ...value, 0x36, 2, ...unsigned(offset)]
}

export function storeShort(address: Code, value: Code): Code {
  return [...address, ...value, 0x3b, 1, 0]
}

export function loadShort(address: Code): Code {
  return [...address, 0x2f, 1, 0]
}

export function fillZero(address: Code, sizeBytes: Code): Code {
  return [...address, ...integer(0), ...sizeBytes, 0xfc, 0x0b, 0]
}

const vector = (opcode: number): Code => [0xfd, ...unsigned(opcode)]
const vectorBinary =
  (opcode: number) =>
  (first: Code, second: Code): Code => [...first, ...second, ...vector(opcode)]
export const addFloats = vectorBinary(0xe4)
export const subtractFloats = vectorBinary(0xe5)
export const multiplyFloats = vectorBinary(0xe6)
export const andVectors = vectorBinary(0x4e)
export const maxUnsigned = vectorBinary(0xb9)
export const isAtLeastUnsigned = vectorBinary(0x40)

export function loadVector(address: Code, offset = 0): Code {
  return [...address, ...vector(0), 4, ...unsigned(offset)]
}

export function storeVector(address: Code, value: Code, offset = 0): Code {
  return [...address, ...value, ...vector(0x0b), 4, ...unsigned(offset)]
}

/** One number of memory in all four lanes. */
export function loadInAllLanes(address: Code, offset = 0): Code {
  return [...address, ...vector(0x09), 2, ...unsigned(offset)]
}

export function inAllLanes(value: Code): Code {
  return [...value, ...vector(0x11)]
}

export const zeroVector: Code = [...vector(0x0c), ...Array<number>(16).fill(0)]

export function lane(value: Code, index: number): Code {
  return [...value, ...vector(0x1b), index]
}

/** Bit i is the highest bit of lane i. */
export function highBits(value: Code): Code {
  return [...value, ...vector(0xa4)]
}

export function when(condition: Code, body: Code, otherwise: Code = []): Code {
  return [...condition, 0x04, noType, ...body, ...(otherwise.length > 0 ? [0x05, ...otherwise] : []), 0x0b]
}

/** Runs `body` while `condition` holds. */
export function during(condition: Code, body: Code): Code {
  // block { loop { break unless condition; body; continue } }
  return [0x02, noType, 0x03, noType, ...condition, 0x45, 0x0d, 1, ...body, 0x0c, 0, 0x0b, 0x0b]
}

/** Counts `local` from what it is to `end` in steps of `step`. */
export function counting(local: number, end: Code, step: number, body: Code): Code {
  return during(isLess(get(local), end), [...body, ...set(local, add(get(local), integer(step)))])
}

/** A module that owns a memory of `pages` of 64 KiB and exports it as `memory` beside its functions. */
export function writeModule(functions: readonly WasmFunction[], pages: number): Uint8Array<ArrayBuffer> {
  const type = ({ parameters, isResult }: WasmFunction): Code => [
    0x60,
    ...list(Array.from({ length: parameters }, () => [integerType])),
    ...list(isResult ? [[integerType]] : [])
  ]
  const exported = functions.map(({ name }, index): Code => [...text(name), 0x00, ...unsigned(index)])
  const code = functions.map(({ integers, vectors, body }): Code => {
    const locals = list([
      [...unsigned(integers), integerType],
      [...unsigned(vectors), vectorType]
    ])
    const whole = [...locals, ...body, 0x0b]
    return [...unsigned(whole.length), ...whole]
  })
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, list(functions.map(type))),
    ...section(3, list(functions.map((_, index) => unsigned(index)))),
    ...section(5, list([[0x01, ...unsigned(pages), ...unsigned(pages)]])),
    ...section(7, list([[...text('memory'), 0x02, 0x00], ...exported])),
    ...section(10, list(code))
  ])
}

function section(id: number, body: Code): Code {
  return [id, ...unsigned(body.length), ...body]
}

function list(items: readonly Code[]): Code {
  return [...unsigned(items.length), ...items.flat()]
}

function text(value: string): Code {
  return [...unsigned(value.length), ...Buffer.from(value, 'latin1')]
}

/** LEB128. */
function unsigned(value: number): number[] {
  const bytes: number[] = []
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest]
    bytes.push((rest % 128) + 128)
  }
}

function signed(value: number): number[] {
  const bytes: number[] = []
  for (let rest = value; ; rest >>= 7) {
    const low = rest & 127
    if ((rest >> 7 === 0 && low < 64) || (rest >> 7 === -1 && low >= 64)) return [...bytes, low]
    bytes.push(low | 128)
  }
}
