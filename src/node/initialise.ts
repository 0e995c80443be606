import { type ScryptCost, scryptCosts } from '../codec/index.ts'
import { BlyanError } from '../errors/index.ts'
import { defaultConfigToml, type FlagValues, loadConfig, withConfigValue } from './config.ts'
import { type DataFolderPaths, type Environment, prepareDataFolder } from './data-folder.ts'
import { readSmallFile, writeFileDurably } from './durable-file.ts'
import { accountKeyName, type KeyInfo, nodeKeyName, openKeyStore } from './key-store.ts'
import { ensureGeneratedPassword, obtainNewPassword, obtainPassword, type PasswordSource } from './password.ts'
import { validatorKeyName } from './validator-key-names.ts'

/** Makes a data folder ready for a node. May run again at any time: it makes what is missing and overwrites no key. */
export type InitialiseInput = {
  readonly path: string
  /** Text of the network's genesis file and where it came from; null leaves what is there. */
  readonly genesis: { readonly text: string; readonly from: string } | null
  /** Settings to write into config.toml, by dotted key. */
  readonly settings: FlagValues
  /** Its BLYAN_* variables count for this run and are not written down. */
  readonly env: Environment
  readonly password: PasswordSource
  readonly scryptCost?: ScryptCost
}

export type InitialisedItem = {
  readonly item: string
  readonly state: 'found' | 'made' | 'changed' | 'missing'
  readonly path: string
  readonly note: string | null
}

export type InitialiseReport = {
  readonly dataFolder: string
  readonly items: readonly InitialisedItem[]
  readonly keys: readonly KeyInfo[]
  readonly nextStep: string
}

export async function initialiseDataFolder(input: InitialiseInput): Promise<InitialiseReport> {
  // Refuses bad settings before anything is made.
  const flags = { ...input.settings, 'keys.passwordFile': input.password.passwordFile ?? undefined }
  const { config, passwordFile } = await loadConfig({ dataFolder: input.path, flags, env: input.env })
  const paths = await prepareDataFolder(input.path)
  const items: InitialisedItem[] = [await placeGenesis(paths, input.genesis)]
  const wanted = [nodeKeyName, accountKeyName, ...(config.node.roles.includes('validator') ? [validatorKeyName] : [])]
  const store = openKeyStore(paths.keysFolder, { scryptCost: input.scryptCost ?? scryptCosts.standard })
  const absent: string[] = []
  for (const name of wanted) if (!(await store.has(name))) absent.push(name)
  const password =
    absent.length === 0
      ? null
      : await choosePassword(paths, { ...input.password, passwordFile }, absent.length === wanted.length)
  items.push(
    await placeConfig(paths, {
      ...input.settings,
      ...(password?.generatedFile ? { 'keys.passwordFile': 'keys/password' } : {})
    })
  )
  if (password?.generatedFile) items.push(passwordItem(password.generatedFile))
  for (const name of wanted) {
    const made = absent.includes(name) && password !== null
    const key = made ? await store.create(name, 'ed25519', password.text) : await store.info(name)
    // A key that is made here has signed nothing: only a floor that is lost has to be asked for.
    if (made && name === validatorKeyName) await beginSignerFloor(paths)
    items.push({ item: `${name} key`, state: made ? 'made' : 'found', path: key.path, note: key.publicKey })
  }
  return { dataFolder: paths.root, items, keys: await store.list(), nextStep: nextStepOf(paths, items) }
}

async function beginSignerFloor(paths: DataFolderPaths): Promise<void> {
  const { readSignerFloor, writeSignerFloor } = await import('../consensus/index.ts')
  if (readSignerFloor(paths.signerStateFile) === undefined) writeSignerFloor(paths.signerStateFile)
}

async function placeGenesis(paths: DataFolderPaths, given: InitialiseInput['genesis']): Promise<InitialisedItem> {
  const path = paths.genesisFile
  const found = await readSmallFile(path, 64 << 20)
  if (given === null) {
    return { item: 'genesis file', state: found === null ? 'missing' : 'found', path, note: null }
  }
  if (found !== null && found !== given.text)
    throw new BlyanError('GENESIS_DIFFERS', { path: paths.root, given: given.from })
  if (found === null) await writeFileDurably(path, given.text, { mode: 0o644 })
  return { item: 'genesis file', state: found === null ? 'made' : 'found', path, note: `from ${given.from}` }
}

async function placeConfig(paths: DataFolderPaths, settings: FlagValues): Promise<InitialisedItem> {
  const path = paths.configFile
  const found = await readSmallFile(path)
  if (found === null) {
    await writeFileDurably(path, defaultConfigToml(settings), { mode: 0o600 })
    return { item: 'configuration', state: 'made', path, note: null }
  }
  let text = found
  for (const [key, value] of Object.entries(settings)) if (value !== undefined) text = withConfigValue(text, key, value)
  if (text === found) return { item: 'configuration', state: 'found', path, note: null }
  await writeFileDurably(path, text, { mode: 0o600 })
  return { item: 'configuration', state: 'changed', path, note: null }
}

/** New keys get the password the others have: asked once more only when there are none yet. */
async function choosePassword(
  paths: DataFolderPaths,
  source: PasswordSource,
  firstKeys: boolean
): Promise<{ text: string; generatedFile: { path: string; made: boolean } | null }> {
  if (source.passwordFile !== null || source.ask !== undefined) {
    const text = firstKeys
      ? await obtainNewPassword(source, 'new password for the keys: ')
      : await obtainPassword(source, 'password of the keys: ')
    return { text, generatedFile: null }
  }
  if (!firstKeys) throw new BlyanError('KEYS_LOCKED')
  const generatedFile = await ensureGeneratedPassword(paths.keysFolder)
  return { text: await obtainPassword({ passwordFile: generatedFile.path }, ''), generatedFile }
}

function passwordItem(file: { path: string; made: boolean }): InitialisedItem {
  const note = 'random, because there was no terminal to ask on; whoever reads this file can use the keys'
  return { item: 'password', state: file.made ? 'made' : 'found', path: file.path, note }
}

function nextStepOf(paths: DataFolderPaths, items: readonly InitialisedItem[]): string {
  return items.some(item => item.state === 'missing')
    ? `run "blyan-node init --genesis FILE --data ${paths.root}" with the genesis file of your network`
    : `run "blyan-node start --data ${paths.root}"`
}
