import type { CanonicalValue } from '../../codec/index.ts'
import { BlyanError } from '../../errors/index.ts'
import type { Frame } from './frame-channel.ts'

/** Typed readers of frame fields. All throw ENGINE_REQUEST_INVALID that names the field. */

export function integerField(frame: Frame, name: string): number {
  const value = frame[name]
  return Number.isSafeInteger(value) ? (value as number) : refuse(name, 'an integer')
}

export function numberField(frame: Frame, name: string): number {
  const value = frame[name]
  return typeof value === 'number' ? value : refuse(name, 'a number')
}

export function textField(frame: Frame, name: string): string {
  const value = frame[name]
  return typeof value === 'string' ? value : refuse(name, 'a text')
}

export function bytesField(frame: Frame, name: string): Uint8Array {
  const value = frame[name]
  return value instanceof Uint8Array ? value : refuse(name, 'bytes')
}

/** A view; a copy where the bytes do not lie at a multiple of four. */
export function floatsField(frame: Frame, name: string): Float32Array {
  const bytes = bytesField(frame, name)
  if (bytes.length % 4 !== 0) refuse(name, 'fp32 values')
  return bytes.byteOffset % 4 === 0
    ? new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
    : new Float32Array(Uint8Array.from(bytes).buffer)
}

export function flagField(frame: Frame, name: string): boolean {
  const value = frame[name]
  return typeof value === 'boolean' ? value : refuse(name, 'true or false')
}

export function textsField(frame: Frame, name: string): string[] {
  return listField(frame, name).map(value => (typeof value === 'string' ? value : refuse(name, 'a list of texts')))
}

export function integersField(frame: Frame, name: string): number[] {
  return listField(frame, name).map(value =>
    Number.isSafeInteger(value) ? (value as number) : refuse(name, 'a list of integers')
  )
}

export function listField(frame: Frame, name: string): readonly CanonicalValue[] {
  const value = frame[name]
  return Array.isArray(value) ? value : refuse(name, 'a list')
}

export function mapField(frame: Frame, name: string): Frame {
  return asMap(frame[name], name)
}

export function asMap(value: CanonicalValue | undefined, name: string): Frame {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Uint8Array) {
    return refuse(name, 'a map')
  }
  return value as Frame
}

/** The bytes of fp32 values, a view. */
export function floatBytes(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
}

function refuse(name: string, kind: string): never {
  throw new BlyanError('ENGINE_REQUEST_INVALID', { reason: `"${name}" is not ${kind}` })
}
