import { createReadStream, createWriteStream } from 'node:fs'
import { open, rename, rm, stat } from 'node:fs/promises'
import { basename, extname } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { Command } from 'commander'
import { BlyanError } from '../../errors/index.ts'
import type { TensorFormat, TensorPut, TensorView } from '../../node/index.ts'
import { type CommandContext, type RegisterCommand, unreadable, wholeNumber } from '../context.ts'
import { fields, sizeText } from '../output.ts'

const formats: Readonly<Record<string, TensorFormat>> = {
  '.npy': 'npy',
  '.safetensors': 'safetensors',
  '.tblock': 'tblock'
}
const importTimeoutMs = 600_000
const verifyTimeoutMs = 600_000

export const register: RegisterCommand = (command, context) => {
  registerPut(command, context)
  registerGet(command, context)
  registerShow(command, context)
  registerVerify(command, context)
  registerPin(command, context, 'pin', 'PUT', 'keep a tensor and offer it to others')
  registerPin(command, context, 'unpin', 'DELETE', 'let a tensor go when room is needed')
}

function registerPut(command: Command, context: () => CommandContext): void {
  command
    .command('put')
    .summary('store a .npy, .safetensors or .tblock file')
    .argument('<file>', 'the file')
    .option('--name <name>', 'its name; the name of the file unless given')
    .action(async (file: string, options: { name?: string }) => {
      const { output, daemon } = context()
      const format = formats[extname(file).toLowerCase()]
      if (format === undefined) {
        throw new BlyanError('USAGE', {
          reason: `"${basename(file)}" is none of ${Object.keys(formats).join(', ')}`,
          hint: 'convert it, or correct its name'
        })
      }
      const found = await stat(file).catch(error => Promise.reject(unreadable(file, error)))
      if (!found.isFile()) throw unreadable(file, { code: 'EISDIR' })
      const put = await (await daemon()).json<TensorPut>({
        method: 'POST',
        path: '/v0/tensors',
        query: { format, name: options.name ?? nameOf(file) },
        upload: {
          bytes: createReadStream(file, { highWaterMark: 1 << 20, end: Math.max(found.size - 1, 0) }),
          sizeBytes: found.size
        },
        timeoutMs: importTimeoutMs
      })
      await output.answer(put, () => putText(put))
    })
}

function registerGet(command: Command, context: () => CommandContext): void {
  command
    .command('get')
    .summary('write a tensor to a file, fetched from the network when it is not here')
    .argument('<cid>', 'its CID')
    .requiredOption('-o, --output <file>', 'where to write it')
    .option('--timeout <seconds>', 'longest wait for the network', wholeNumber(1, 600), 120)
    .action(async (cid: string, options: { output: string; timeout: number }) => {
      const { output, daemon } = context()
      const answer = await (await daemon()).bytes({
        path: `/v0/tensors/${encodeURIComponent(cid)}/file`,
        query: { timeoutMs: options.timeout * 1000 },
        timeoutMs: options.timeout * 1000 + 10_000
      })
      const sizeBytes = await receive(answer, Number(answer.headers['content-length']), options.output)
      await output.answer({ cid, file: options.output, sizeBytes }, () => `${options.output}: ${sizeText(sizeBytes)}`)
    })
}

/** The file appears whole or not at all. */
async function receive(answer: NodeJS.ReadableStream, expectedBytes: number, path: string): Promise<number> {
  const partial = `${path}.${process.pid}.part`
  try {
    await pipeline(answer, createWriteStream(partial, { mode: 0o644 }))
    const { size } = await stat(partial)
    if (size !== expectedBytes) throw new Error(`got ${size} of ${expectedBytes} bytes`)
    const file = await open(partial, 'r+')
    await file.sync().finally(() => file.close())
    await rename(partial, path)
    return size
  } catch (error) {
    throw new BlyanError('FILE_UNWRITABLE', { path, reason: (error as Error).message }, { cause: error })
  } finally {
    await rm(partial, { force: true })
  }
}

function registerShow(command: Command, context: () => CommandContext): void {
  command
    .command('show')
    .summary('what is known of a tensor')
    .argument('<cid>', 'its CID')
    .action(async (cid: string) => {
      const { output, daemon } = context()
      const tensor = await (await daemon()).json<TensorView>({ path: `/v0/tensors/${encodeURIComponent(cid)}` })
      await output.answer(tensor, () =>
        fields([
          ['cid', tensor.cid],
          ['name', tensor.name],
          ['type', `${tensor.dtype} ${tensor.shape.join(' x ')}`],
          ['size', sizeText(tensor.sizeBytes)],
          ['tiles', `${tensor.tiles}, ${tensor.leaves} leaves`],
          ['pinned', tensor.pinned ? 'yes' : 'no'],
          ['file', tensor.path]
        ])
      )
    })
}

function registerVerify(command: Command, context: () => CommandContext): void {
  command
    .command('verify')
    .summary('read every leaf and compare it with its name')
    .argument('<cid>', 'its CID')
    .action(async (cid: string) => {
      const { output, daemon } = context()
      const result = await (await daemon()).json<{ valid: boolean; reason: string | null; leavesChecked: number }>({
        method: 'POST',
        path: `/v0/tensors/${encodeURIComponent(cid)}/verify`,
        timeoutMs: verifyTimeoutMs
      })
      if (!result.valid) process.exitCode = 1
      await output.answer({ cid, ...result }, () =>
        fields([
          ['valid', result.valid ? 'yes' : 'NO'],
          ['reason', result.reason],
          ['leaves', result.leavesChecked]
        ])
      )
    })
}

function registerPin(
  command: Command,
  context: () => CommandContext,
  name: string,
  method: 'PUT' | 'DELETE',
  summary: string
): void {
  command
    .command(name)
    .summary(summary)
    .argument('<cid>', 'its CID')
    .action(async (cid: string) => {
      const { output, daemon } = context()
      const result = await (await daemon()).json({ method, path: `/v0/tensors/${encodeURIComponent(cid)}/pin` })
      await output.answer(result, () => `${cid} ${method === 'PUT' ? 'pinned' : 'unpinned'}`)
    })
}

function nameOf(file: string): string {
  return (
    basename(file, extname(file))
      .replace(/[^\x20-\x7e]/g, '_')
      .slice(0, 255) || 'tensor'
  )
}

function putText(put: TensorPut): string {
  const whole = fields([
    ['cid', put.cid],
    ['kind', put.kind],
    ['type', put.kind === 'tensor' ? `${put.dtype} ${put.shape.join(' x ')}` : `${put.tensors.length} tensors`],
    ['size', sizeText(put.sizeBytes)]
  ])
  if (put.kind === 'tensor') return whole
  return [
    whole,
    ...put.tensors.map(
      tensor => `${tensor.cid}  ${tensor.dtype} ${tensor.shape.join(' x ')}  ${JSON.stringify(tensor.name)}`
    )
  ].join('\n')
}
