import { resolve } from 'node:path'
import { type Command, Option } from 'commander'
import type { ImportLine, ModelEntry } from '../../node/index.ts'
import type { CommandContext, RegisterCommand } from '../context.ts'
import { fields, sizeText, table } from '../output.ts'
import { createProgressBar } from '../progress-bar.ts'

type ModelView = Omit<ModelEntry, 'parts'> & {
  readonly partsOnChain: number
  readonly partsHere: number
  readonly partBytes: number
}

/** A single large part, or a network that is slow to confirm, can take this long without a word. */
const silenceMsMax = 600_000

export const register: RegisterCommand = (command, context) => {
  registerImport(command, context)
  command
    .command('list')
    .summary('the models of this network')
    .action(async () => {
      const { output, daemon } = context()
      const { models } = await (await daemon()).json<{ models: readonly ModelView[] }>({ path: '/v0/models' })
      if (output.json) for (const model of models) await output.line(model, () => '')
      else
        await output.answer(null, () =>
          table(['name', 'layers', 'experts', 'kept as', 'size', 'parts', 'here', 'author'], models.map(rowOf))
        )
    })
}

function registerImport(command: Command, context: () => CommandContext): void {
  command
    .command('import')
    .summary('make a model of a Hugging Face folder (Mixtral, OLMoE, Qwen2-MoE, Qwen3-MoE)')
    .argument('<folder>', 'with config.json, *.safetensors and tokenizer.json, on the machine of the node')
    .option('--name <name>', "the model's name; made of the folder's name unless given")
    .addOption(new Option('--precision <precision>', 'how weights are kept').choices(['int8', 'fp32']).default('int8'))
    .action(async (folder: string, options: { name?: string; precision: 'int8' | 'fp32' }) => {
      const { output, daemon } = context()
      const lines = (await daemon()).lines<ImportLine>({
        method: 'POST',
        path: '/v0/models/import',
        body: { folder: resolve(folder), ...options },
        timeoutMs: silenceMsMax
      })
      const bar = createProgressBar(process.stderr)
      try {
        for await (const line of lines) {
          if (output.json) await output.line(line, () => '')
          else if (line.kind === 'progress') bar.show(barOf(line))
          else {
            bar.clear()
            if (line.kind === 'plan') output.note(planText(line))
            else await output.answer(line, () => doneText(line))
          }
        }
      } finally {
        bar.clear()
      }
    })
}

function barOf(line: Extract<ImportLine, { kind: 'progress' }>): { label: string; done: number; total: number } {
  const what = line.phase === 'weights' ? 'converting' : 'on chain'
  return { label: `${what} ${line.partsDone}/${line.parts}`, done: line.bytesDone, total: line.bytes }
}

function planText(line: Extract<ImportLine, { kind: 'plan' }>): string {
  const here = line.partsHere === 0 ? '' : `, ${line.partsHere} of them here from before`
  return `${line.model}: ${sizeText(line.sourceBytes)} of weights become ${line.parts} parts in ${line.precision}, ${sizeText(line.partBytes)}${here}`
}

function doneText(line: Extract<ImportLine, { kind: 'done' }>): string {
  return fields([
    ['model', line.model],
    ['parts', line.parts],
    ['size', sizeText(line.partBytes)],
    ['block', line.block],
    ['took', `${(line.elapsedMs / 1000).toFixed(1)} s`]
  ])
}

function rowOf(model: ModelView): (string | number)[] {
  const { architecture } = model
  return [
    model.name,
    architecture.layers,
    architecture.experts,
    architecture.family === 'blyan-moe/1' ? 'fp32' : architecture.precision,
    sizeText(model.partBytes),
    model.isComplete ? model.partsOnChain : `${model.partsOnChain} so far`,
    model.partsHere,
    model.author ?? 'genesis'
  ]
}
