import { constants, copyFile, mkdir, open, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { describeModel } from '../../src/experts/index.ts'
import { openCheckpointImport } from '../../src/models/index.ts'
import { openReferenceBlockstore } from '../../src/storage/index.ts'
import { createTensorStore } from '../../src/tiles/index.ts'
import { type Options, plain, type Result, rate } from '../report.ts'
import { withTemporaryFolder } from '../temporary-folder.ts'

const megabyte = 1_000_000
const width = 2048
const expertWidth = 1024
const vocabulary = 256
const experts = 16

/** Makes int8 parts of a bf16 checkpoint and stores them, against the disk copying the same file. */
export function measureImporting(options: Options): Promise<Result[]> {
  return withTemporaryFolder(async root => {
    const layers = options.quick ? 1 : 3
    const folder = join(root, 'model')
    const sizeBytes = await writeRandomCheckpoint(folder, layers)
    const rates: number[] = []
    const limits: number[] = []
    const delays: number[] = []
    for (let run = 0; run < (options.quick ? 2 : 4); run++) {
      options.note(`import of a checkpoint of ${Math.round(sizeBytes / megabyte)} MB`)
      limits.push(mbPerSecond(sizeBytes, await copyMs(folder, join(root, 'copy'))))
      const { elapsedMs, delayP99Ms } = await importMs(folder, join(root, `store${run}`))
      rates.push(mbPerSecond(sizeBytes, elapsedMs))
      delays.push(delayP99Ms)
    }
    return [
      rate('experts.import', 'MB/s', rates, limits, 'the disk copies the same file, synced'),
      plain('experts.import.loop', 'ms', delays)
    ]
  })
}

async function copyMs(folder: string, target: string): Promise<number> {
  const startedAtMs = performance.now()
  // Where a file system would only note that both are the same, nothing would be measured.
  await copyFile(join(folder, 'model.safetensors'), target, constants.COPYFILE_EXCL)
  const file = await open(target, 'r+')
  await file.sync().finally(() => file.close())
  const elapsedMs = performance.now() - startedAtMs
  await rm(target)
  return elapsedMs
}

async function importMs(folder: string, root: string): Promise<{ elapsedMs: number; delayP99Ms: number }> {
  await mkdir(join(root, 'blocks'), { recursive: true })
  const blockstore = await openReferenceBlockstore({
    blocksFolder: join(root, 'blocks'),
    tensorsFolder: join(root, 'tensors')
  })
  const store = await createTensorStore({ blockstore })
  const delay = monitorEventLoopDelay({ resolution: 1 })
  const startedAtMs = performance.now()
  const opened = await openCheckpointImport({ folder, precision: 'int8' })
  try {
    const parts = describeModel(opened.plan.architecture)
    delay.enable()
    for await (const { part, data } of opened.read(parts.map((_, i) => i))) {
      const { name, dtype, shape } = parts[part]!
      await store.putTensor({ name, dtype, shape, data })
    }
    return { elapsedMs: performance.now() - startedAtMs, delayP99Ms: delay.percentile(99) / 1e6 }
  } finally {
    delay.disable()
    await opened.close()
    await store.close()
    await blockstore.close()
    await rm(root, { recursive: true })
  }
}

/** An OLMoE folder of bf16 values between -1 and 1, one file. Returns its size. */
async function writeRandomCheckpoint(folder: string, layers: number): Promise<number> {
  await mkdir(folder, { recursive: true })
  const config = {
    model_type: 'olmoe',
    vocab_size: vocabulary,
    hidden_size: width,
    num_hidden_layers: layers,
    num_attention_heads: 16,
    num_experts: experts,
    num_experts_per_tok: 2,
    intermediate_size: expertWidth,
    max_position_embeddings: 4096
  }
  await writeFile(join(folder, 'config.json'), JSON.stringify(config))
  const header: Record<string, unknown> = {}
  let position = 0
  for (const [name, shape] of shapesOf(layers)) {
    const lengthBytes = 2 * shape.reduce((product, extent) => product * extent, 1)
    header[name] = { dtype: 'BF16', shape, data_offsets: [position, position + lengthBytes] }
    position += lengthBytes
  }
  const text = Buffer.from(JSON.stringify(header))
  const lengthField = Buffer.alloc(8)
  lengthField.writeBigUInt64LE(BigInt(text.length))
  const file = await open(join(folder, 'model.safetensors'), 'w')
  try {
    await file.writeFile(Buffer.concat([lengthField, text]))
    // 0x3f00 to 0x3f7f are 0.5 to 1: enough for a speed, and no value is special.
    const values = Uint16Array.from({ length: 1 << 20 }, (_, i) => 0x3f00 | ((i * 40_503) & 0x7f) | ((i & 1) << 15))
    const block = new Uint8Array(values.buffer)
    for (let left = position; left > 0; left -= block.length) await file.writeFile(block.subarray(0, left))
    await file.sync()
  } finally {
    await file.close()
  }
  return lengthField.length + text.length + position
}

function shapesOf(layers: number): [string, number[]][] {
  const shapes: [string, number[]][] = [
    ['model.embed_tokens.weight', [vocabulary, width]],
    ['lm_head.weight', [vocabulary, width]],
    ['model.norm.weight', [width]]
  ]
  for (let layer = 0; layer < layers; layer++) {
    const prefix = `model.layers.${layer}`
    for (const letter of ['q', 'k', 'v', 'o'])
      shapes.push([`${prefix}.self_attn.${letter}_proj.weight`, [width, width]])
    for (const letter of ['q', 'k']) shapes.push([`${prefix}.self_attn.${letter}_norm.weight`, [width]])
    for (const norm of ['input', 'post_attention']) shapes.push([`${prefix}.${norm}_layernorm.weight`, [width]])
    shapes.push([`${prefix}.mlp.gate.weight`, [experts, width]])
    for (let expert = 0; expert < experts; expert++) {
      const own = `${prefix}.mlp.experts.${expert}`
      shapes.push([`${own}.gate_proj.weight`, [expertWidth, width]])
      shapes.push([`${own}.up_proj.weight`, [expertWidth, width]])
      shapes.push([`${own}.down_proj.weight`, [width, expertWidth]])
    }
  }
  return shapes
}

function mbPerSecond(bytes: number, elapsedMs: number): number {
  return bytes / megabyte / (elapsedMs / 1000)
}
