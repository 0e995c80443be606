import { join } from 'node:path'
import { bytesEqual, type CanonicalValue, encodeCanonical } from '../../codec/index.ts'
import { type Chains, type HandlerRegistry, isReservedModelName } from '../../dag/index.ts'
import { BlyanError } from '../../errors/index.ts'
import { describeModel, type PartDescription } from '../../experts/index.ts'
import { type CheckpointImport, openCheckpointImport } from '../../models/index.ts'
import type { TensorStore } from '../../tiles/index.ts'
import type { EventService } from '../event-service.ts'
import { type ImportJournal, openImportJournal } from './import-journal.ts'
import type { ImportLine, ImportRequest } from './import-types.ts'

/** Brings models that were trained elsewhere into this network; one at a time. */
export interface ModelImporter {
  import(request: ImportRequest): AsyncIterable<ImportLine>
}

export type ModelImporterNeeds = {
  readonly chains: Pick<Chains, 'state' | 'parts'>
  readonly tensors: Pick<TensorStore, 'putTensor' | 'info' | 'pin' | 'unpin' | 'remove'>
  readonly events: Pick<EventService, 'submit'>
  readonly handlers: HandlerRegistry
  /** Who signs and becomes the model's author. */
  readonly account: string
  /** Where journals are kept. */
  readonly folder: string
  readonly requireFreeBytes: (bytes: number) => Promise<void>
}

export function createModelImporter(needs: ModelImporterNeeds): ModelImporter {
  return new StoringImporter(needs)
}

/** Less than the clocks that a node lets one author be ahead. */
const eventsInFlightMax = 32
const eventTimeoutMs = 120_000
const namePattern = /^[a-z][a-z0-9]{0,31}$/

type Work = {
  readonly request: ImportRequest
  readonly model: string
  readonly opened: CheckpointImport
  readonly parts: readonly PartDescription[]
  readonly journal: ImportJournal
  readonly startedAtMs: number
}

class StoringImporter implements ModelImporter {
  readonly #needs: ModelImporterNeeds
  #running: string | undefined

  constructor(needs: ModelImporterNeeds) {
    this.#needs = needs
  }

  async *import(request: ImportRequest): AsyncGenerator<ImportLine> {
    const model = request.name ?? nameOf(request.folder)
    if (this.#running !== undefined) throw new BlyanError('IMPORT_BUSY', { model: this.#running })
    this.#running = model
    let opened: CheckpointImport | undefined
    const stop = (): void => void opened?.close()
    try {
      this.#requireMayRegister(model)
      const startedAtMs = performance.now()
      opened = await openCheckpointImport({ folder: request.folder, precision: request.precision })
      request.signal.addEventListener('abort', stop)
      if (request.signal.aborted) throw new BlyanError('IMPORT_STOPPED')
      this.#requireSameModel(model, opened)
      const { architecture, fingerprint } = opened.plan
      const journal = await openImportJournal(join(this.#needs.folder, `${model}.jsonl`), fingerprint)
      const work = { request, model, opened, parts: describeModel(architecture), journal, startedAtMs }
      yield* this.#store(work)
      yield* this.#publish(work)
    } finally {
      this.#running = undefined
      request.signal.removeEventListener('abort', stop)
      await opened?.close()
    }
  }

  async *#store(work: Work): AsyncGenerator<ImportLine> {
    const { opened, parts, journal, model, request } = work
    const { tensors } = this.#needs
    const { sourceBytes } = opened.plan
    const isHere = (part: PartDescription): boolean => {
      const tensor = journal.get(part.name)
      return tensor !== undefined && tensors.info(tensor) !== undefined
    }
    const wanted = parts.flatMap((part, i) => (isHere(part) ? [] : [i]))
    const bytes = total(wanted.map(i => sourceBytes[i]!))
    const partBytes = total(parts.map(part => part.dataLengthBytes))
    yield {
      kind: 'plan',
      model,
      precision: request.precision,
      parts: parts.length,
      partsHere: parts.length - wanted.length,
      sourceBytes: total(sourceBytes),
      partBytes
    }
    await this.#needs.requireFreeBytes(total(wanted.map(i => parts[i]!.dataLengthBytes)))
    const made: string[] = []
    let bytesDone = 0
    try {
      for await (const { part, data } of opened.read(wanted)) {
        const { name, dtype, shape } = parts[part]!
        const info = await tensors.putTensor({ name, dtype, shape, data })
        made.push(info.cid)
        await tensors.pin(info.cid)
        await journal.add(name, info.cid)
        bytesDone += sourceBytes[part]!
        const partsDone = parts.length - wanted.length + made.length
        yield { kind: 'progress', phase: 'weights', partsDone, parts: parts.length, bytesDone, bytes }
      }
    } catch (error) {
      // Weights that cannot be used stay so: nothing of this folder is worth its place on the disk.
      if (error instanceof BlyanError && error.code === 'CHECKPOINT_VALUE_INVALID') await this.#discard(made, journal)
      throw error
    }
  }

  async *#publish(work: Work): AsyncGenerator<ImportLine> {
    const { model, parts, journal, opened, request, startedAtMs } = work
    const { chains } = this.#needs
    const tokenizer = await this.#storeTokenizer(opened.plan.tokenizer)
    const { architecture } = opened.plan
    if (this.#registered(model) === undefined)
      await this.#submit(
        'model-register',
        { name: model, architecture, tokenizer, parts: parts.length },
        request.signal
      )
    const block = String(this.#registered(model)!.block)
    const partBytes = total(parts.map(part => part.dataLengthBytes))
    const missing = parts.filter(part => !this.#isOnChain(`${model}.${part.name}`, journal.get(part.name)!))
    let bytesDone = partBytes - total(missing.map(part => part.dataLengthBytes))
    for (let first = 0; first < missing.length; first += eventsInFlightMax) {
      const batch = missing.slice(first, first + eventsInFlightMax)
      await Promise.all(
        batch.map(part => this.#submit(part.blockType, partPayload(model, part, journal, block), request.signal))
      )
      bytesDone += total(batch.map(part => part.dataLengthBytes))
      const partsDone = parts.length - missing.length + first + batch.length
      yield { kind: 'progress', phase: 'events', partsDone, parts: parts.length, bytesDone, bytes: partBytes }
    }
    const lost = parts.find(part => chains.parts.newest(`${model}.${part.name}`) === undefined)
    if (lost !== undefined) throw new BlyanError('IMPORT_STOPPED')
    yield { kind: 'done', model, block, parts: parts.length, partBytes, elapsedMs: performance.now() - startedAtMs }
  }

  async #storeTokenizer(record: Uint8Array | null): Promise<string | null> {
    if (record === null) return null
    const { tensors } = this.#needs
    const { cid } = await tensors.putTensor({ name: 'tokenizer', dtype: 'int8', shape: [record.length], data: record })
    await tensors.pin(cid)
    return cid
  }

  async #submit(type: string, json: unknown, signal: AbortSignal): Promise<void> {
    if (signal.aborted) throw new BlyanError('IMPORT_STOPPED')
    const payload = this.#needs.handlers.get(type).encodePayload(json)
    await this.#needs.events.submit({ type, payload }, { wait: true, timeoutMs: eventTimeoutMs, signal })
  }

  /** Whether this tensor is a version of the part. Throws MODEL_PART_DIFFERS where only others are. */
  #isOnChain(name: string, tensor: string): boolean {
    const history = this.#needs.chains.parts.history(name)
    if (history.length === 0) return false
    if (history.some(version => version.tensor === tensor)) return true
    throw new BlyanError('MODEL_PART_DIFFERS', { name })
  }

  #requireMayRegister(model: string): void {
    const { chains, account } = this.#needs
    if (!namePattern.test(model)) throw new BlyanError('MODEL_NAME_INVALID', { name: model.slice(0, 64) })
    if (isReservedModelName(model)) throw new BlyanError('MODEL_NAME_RESERVED', { name: model })
    const stake = chains.state.get(`stake/${account}`)
    if (typeof stake !== 'string' || BigInt(stake) <= 0n)
      throw new BlyanError('EVENT_NOT_AUTHORISED', { type: 'model-register', reason: 'it has no stake' })
  }

  #requireSameModel(model: string, { plan }: CheckpointImport): void {
    const registered = this.#registered(model)
    if (registered === undefined) return
    const isSame = bytesEqual(
      encodeCanonical(registered.architecture),
      encodeCanonical(plan.architecture as unknown as CanonicalValue)
    )
    if (registered.author !== this.#needs.account || !isSame) throw new BlyanError('MODEL_NAME_TAKEN', { name: model })
  }

  #registered(model: string): { author: string; architecture: CanonicalValue; block: unknown } | undefined {
    return this.#needs.chains.state.get(`model/${model}`) as never
  }

  async #discard(made: readonly string[], journal: ImportJournal): Promise<void> {
    await journal.remove()
    for (const cid of made) {
      await this.#needs.tensors.unpin(cid)
      // In use by something else: then it is not ours to remove.
      await this.#needs.tensors.remove(cid).catch(() => {})
    }
  }
}

function partPayload(model: string, part: PartDescription, journal: ImportJournal, block: string): unknown {
  return {
    name: `${model}.${part.name}`,
    layer: part.layer,
    tensor: journal.get(part.name)!,
    shape: part.shape,
    dependsOn: [block]
  }
}

/** `OLMoE-1B-7B` becomes `olmoe1b7b`. */
function nameOf(folder: string): string {
  const last = folder.split(/[\\/]/).findLast(segment => segment !== '') ?? ''
  return last
    .toLowerCase()
    .replace(/[^a-z0-9]/g, '')
    .replace(/^[0-9]+/, '')
    .slice(0, 32)
}

function total(numbers: readonly number[]): number {
  return numbers.reduce((sum, value) => sum + value, 0)
}
