import { resolve } from 'node:path'
import {
  importConfig,
  importSnapshotWork,
  readApiAddress,
  type SnapshotVerdict,
  type SnapshotView
} from '../../node/index.ts'
import type { CommandContext, RegisterCommand } from '../context.ts'
import { fields, printable, sizeText, table } from '../output.ts'

const createTimeoutMs = 600_000

export const register: RegisterCommand = (command, context) => {
  command
    .command('create')
    .summary('make a snapshot of the newest certified checkpoint')
    .option('-o, --output <file>', 'write it into one file as well, to restore from elsewhere')
    .action(({ output: file }: { output?: string }) => create(context(), file))
  command
    .command('list')
    .summary('snapshots on this machine, oldest first')
    .action(() => list(context()))
  command
    .command('verify')
    .summary('check every byte of a snapshot file')
    .argument('<file>', 'what "snapshot create -o" wrote')
    .action((file: string) => verify(context(), file))
  command
    .command('restore')
    .summary('put a snapshot in the place of the database of a stopped node')
    .argument('<file>', 'what "snapshot create -o" wrote')
    .action((file: string) => restore(context(), file))
}

/** From the running daemon; without one from the data folder itself. */
async function create(context: CommandContext, file: string | undefined): Promise<void> {
  const { exportSnapshot, createOffline } = await importSnapshotWork()
  const isRunning = (await readApiAddress(context.paths())) !== null
  const made = isRunning
    ? await (await context.daemon()).json<SnapshotView>({
        method: 'POST',
        path: '/v0/snapshots',
        timeoutMs: createTimeoutMs
      })
    : await createOffline(await place(context))
  const path = file === undefined ? null : resolve(file)
  const fileBytes = path === null ? null : await exportSnapshot(context.paths(), made.sequence, path)
  await context.output.answer({ ...made, file: path, fileBytes }, () =>
    fields([...rows(made), ['folder', made.folder], ['file', path]])
  )
}

async function list(context: CommandContext): Promise<void> {
  const { listOffline } = await importSnapshotWork()
  const snapshots = await listOffline(context.paths())
  await context.output.answer({ snapshots }, () =>
    table(
      ['sequence', 'commit', 'epoch', 'time', 'size', 'id'],
      snapshots.map(({ sequence, commit, epoch, time, sizeBytes, id }) => [
        sequence,
        commit,
        epoch,
        time,
        sizeText(sizeBytes),
        id
      ])
    )
  )
}

async function verify(context: CommandContext, file: string): Promise<void> {
  const { verifyFile } = await importSnapshotWork()
  const verdict = await verifyFile(await place(context), resolve(file))
  await context.output.answer({ valid: true, ...verdict }, () => fields([['valid', 'yes'], ...rows(verdict)]))
}

async function restore(context: CommandContext, file: string): Promise<void> {
  const { restoreFile } = await importSnapshotWork()
  const report = await restoreFile(await place(context), resolve(file))
  if (report.before !== null)
    context.output.note(
      printable(`the database that was here is in ${report.before}; remove it once the node is ready again`)
    )
  await context.output.answer({ restored: true, ...report }, () =>
    fields([['restored', 'yes'], ...rows(report), ['took', `${Math.round(report.elapsedMs)} ms`]])
  )
}

async function place(context: CommandContext) {
  const paths = context.paths()
  const { loadConfig } = await importConfig()
  const { config } = await loadConfig({ dataFolder: paths.root, flags: {}, env: context.env })
  return { paths, genesisFile: config.network.genesisFile }
}

function rows(snapshot: SnapshotView | SnapshotVerdict): (readonly [string, string | number])[] {
  return [
    ['checkpoint', snapshot.sequence],
    ['commit', snapshot.commit],
    ['epoch', snapshot.epoch],
    ['time', snapshot.time],
    ['state root', snapshot.stateRoot],
    ['entries', snapshot.entries],
    ['size', sizeText(snapshot.sizeBytes)],
    ['id', snapshot.id]
  ]
}
