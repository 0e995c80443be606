import { BlyanError } from '../errors/index.ts'
import {
  importConfig,
  importKeyStore,
  isValidatorKeyName,
  type KeyInfo,
  nextValidatorKeyName,
  numberOfValidatorKey,
  obtainPassword,
  type SubmittedEvent,
  signerStateFileOf,
  type ValidatorsView
} from '../node/index.ts'
import { type CommandContext, passwordSource } from './context.ts'
import { fields } from './output.ts'

export type RotationOptions = { readonly wait: boolean; readonly timeout: number }

const pollEveryMs = 1000

/**
 * A new key for a validator, in the order in which nothing is lost: the key is made and kept, then the change is made
 * final, and the old key signs until the epoch begins that knows the new one. Running it again goes on where it stopped.
 */
export async function rotateValidatorKey(context: CommandContext, options: RotationOptions): Promise<void> {
  const { output } = context
  const daemon = await context.daemon()
  const before = await daemon.json<ValidatorsView>({ path: '/v0/validators' })
  if (!before.own.some(key => key.isMember))
    throw new BlyanError('VALIDATOR_NO_KEY', { detail: ' in the set of this epoch' })
  const key = await unusedKey(context, before)
  const event = await daemon.json<SubmittedEvent>({
    method: 'POST',
    path: '/v0/validators/changes',
    query: { wait: true, timeoutMs: 60_000 },
    body: { change: 'rotate', key: key.name },
    timeoutMs: 70_000
  })
  output.note(`${key.name} takes the place of the old key with the next set; until then the old key signs`)
  const isInUse = options.wait && (await untilMember(context, key.publicKey, options.timeout))
  await output.answer({ ...event, key, inUse: isInUse }, () =>
    fields([
      ['new key', key.publicKey],
      ['file', key.path],
      ['event', event.eventId],
      [
        'in use',
        isInUse ? 'yes: keep the old key file for as long as you keep backups of it' : 'from the next epoch on'
      ]
    ])
  )
}

/** The key of a rotation that did not get as far as the set, or a new one. */
async function unusedKey(context: CommandContext, view: ValidatorsView): Promise<KeyInfo> {
  const paths = context.paths()
  const { loadConfig } = await importConfig()
  const flags = { 'keys.passwordFile': context.passwordFile }
  const { passwordFile } = await loadConfig({ dataFolder: paths.root, flags, env: context.env })
  const { openKeyStore } = await importKeyStore()
  const store = openKeyStore(paths.keysFolder)
  const keys = (await store.list())
    .filter(key => isValidatorKeyName(key.name))
    .sort((a, b) => numberOfValidatorKey(a.name) - numberOfValidatorKey(b.name))
  const current = view.own.find(key => key.isMember)!.name
  const newest = keys.at(-1)
  if (newest !== undefined && numberOfValidatorKey(newest.name) > numberOfValidatorKey(current)) return newest
  const password = await obtainPassword(passwordSource(passwordFile), 'password of the keys: ')
  await store.unlock(current, password)
  const name = nextValidatorKeyName(keys.map(key => key.name))
  const { writeSignerFloor } = await import('../consensus/index.ts')
  // Before the key is there: a key without this file would have to ask the others what it has signed.
  writeSignerFloor(signerStateFileOf(paths, name))
  return store.create(name, 'ed25519', password)
}

async function untilMember(context: CommandContext, publicKey: string, timeoutSeconds: number): Promise<boolean> {
  const endsAtMs = Date.now() + timeoutSeconds * 1000
  for (;;) {
    const view = await (await context.daemon()).json<ValidatorsView>({ path: '/v0/validators' })
    if (view.own.some(key => key.key === publicKey && key.isMember)) return true
    if (Date.now() > endsAtMs) return false
    await new Promise(resolve => setTimeout(resolve, pollEveryMs))
  }
}
