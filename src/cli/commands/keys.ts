import { Argument, type Command, Option } from 'commander'
import { hexToBytes, importSigningKey, type SignatureScheme, type SigningKey } from '../../codec/index.ts'
import { BlyanError } from '../../errors/index.ts'
import {
  importConfig,
  importKeyStore,
  isValidatorKeyName,
  type KeyInfo,
  type KeyStore,
  obtainNewPassword,
  obtainPassword,
  type PasswordSource,
  signerStateFileOf
} from '../../node/index.ts'
import { type CommandContext, passwordSource, type RegisterCommand, readInput } from '../context.ts'
import { beginSignerFloor, exportText, readExport, restoreSignerFloor, writeNewFile } from '../key-export.ts'
import { fields, table } from '../output.ts'
import { rotateValidatorKey } from '../validator-rotation.ts'

const keyFileBytesMax = 1 << 20
const rotationTimeoutSeconds = 300
const schemes = ['ed25519', 'secp256k1'] as const

export const register: RegisterCommand = (command, context) => {
  registerNewAndList(command, context)
  registerImport(command, context)
  registerExport(command, context)
  registerRotate(command, context)
  registerPasswd(command, context)
}

type OpenKeys = { readonly store: KeyStore; readonly source: PasswordSource }

async function openKeys(context: CommandContext): Promise<OpenKeys> {
  const paths = context.paths()
  const { loadConfig } = await importConfig()
  const flags = { 'keys.passwordFile': context.passwordFile }
  const { passwordFile } = await loadConfig({ dataFolder: paths.root, flags, env: context.env })
  const { openKeyStore } = await importKeyStore()
  return { store: openKeyStore(paths.keysFolder), source: passwordSource(passwordFile) }
}

/** The one password of this store: a new key under another would lock the node out of half of its keys. */
async function storePassword({ store, source }: OpenKeys): Promise<string> {
  const first = (await store.list())[0]
  if (first === undefined) return obtainNewPassword(source, 'new password for the keys: ')
  const password = await obtainPassword(source, 'password of the keys: ')
  await store.unlock(first.name, password)
  return password
}

function registerNewAndList(command: Command, context: () => CommandContext): void {
  command
    .command('new')
    .summary('make a key')
    .argument('<name>', 'its name')
    .addOption(new Option('--scheme <scheme>', 'kind of signature').choices(schemes).default('ed25519'))
    .action(async (name: string, options: { scheme: SignatureScheme }) => {
      const keys = await openKeys(context())
      if (await keys.store.has(name))
        throw new BlyanError('KEY_EXISTS', { name, path: (await keys.store.info(name)).path })
      const password = await storePassword(keys)
      if (isValidatorKeyName(name)) await beginSignerFloor(signerStateFileOf(context().paths(), name))
      const key = await keys.store.create(name, options.scheme, password)
      await context().output.answer(key, () => keyText(key))
    })
  command
    .command('list')
    .summary('names and public keys; needs no password')
    .action(async () => {
      const { output } = context()
      const list = await (await openKeys(context())).store.list()
      if (output.json) for (const key of list) await output.line(key, () => '')
      else
        await output.answer(null, () =>
          table(
            ['name', 'public key', 'scheme', 'made'],
            list.map(key => [key.name, key.publicKey, key.scheme, key.createdAt])
          )
        )
    })
}

type ImportOptions = { name: string; secretHexFile?: string; scheme: SignatureScheme; keyPasswordFile?: string }

function registerImport(command: Command, context: () => CommandContext): void {
  command
    .command('import')
    .summary('take in a key, encrypted here with the password of the other keys')
    .argument('[file]', 'a file that "keys export" wrote')
    .requiredOption('--name <name>', 'its name here')
    .option('--secret-hex-file <file>', 'instead: a file with the 32 secret bytes as hex')
    .option('--key-password-file <file>', 'password of the file, when it is another one than here')
    .addOption(
      new Option('--scheme <scheme>', 'kind of signature, with --secret-hex-file').choices(schemes).default('ed25519')
    )
    .action(async (file: string | undefined, options: ImportOptions) => {
      if ((file === undefined) === (options.secretHexFile === undefined)) {
        throw new BlyanError('USAGE', {
          reason: 'keys import needs a file or --secret-hex-file, one of them',
          hint: 'see "blyan-node keys import --help"'
        })
      }
      const keys = await openKeys(context())
      if (await keys.store.has(options.name))
        throw new BlyanError('KEY_EXISTS', { name: options.name, path: (await keys.store.info(options.name)).path })
      const password = await storePassword(keys)
      const imported = file === undefined ? await readSecret(options) : await readEncrypted(file, options, password)
      if (imported.signerFloor !== null && isValidatorKeyName(options.name))
        await restoreSignerFloor(signerStateFileOf(context().paths(), options.name), imported.signerFloor)
      const key = await keys.store.add(options.name, imported.key, password)
      await context().output.answer(key, () => keyText(key))
    })
}

type ImportedKey = { readonly key: SigningKey; readonly signerFloor: unknown }

async function readSecret({ secretHexFile = '', scheme }: ImportOptions): Promise<ImportedKey> {
  const text = Buffer.from(await readInput(secretHexFile, 'the secret', keyFileBytesMax)).toString('utf8')
  const secret = hexToBytes(text.trim().replace(/^0x/, ''))
  if (secret === undefined) throw new BlyanError('KEY_INVALID', { reason: 'the secret is not hex' })
  return { key: importSigningKey(scheme, secret), signerFloor: null }
}

async function readEncrypted(file: string, options: ImportOptions, password: string): Promise<ImportedKey> {
  const { keyFile, signerFloor } = await readExport(
    Buffer.from(await readInput(file, 'the key file', keyFileBytesMax)).toString('utf8')
  )
  const { decryptKey } = await import('../../codec/index.ts')
  const own = options.keyPasswordFile
  const filePassword = own === undefined ? password : await obtainPassword({ passwordFile: own }, '')
  return { key: await decryptKey(keyFile, filePassword), signerFloor }
}

function registerExport(command: Command, context: () => CommandContext): void {
  command
    .command('export')
    .summary('write a key to a file, encrypted as it is')
    .argument('<name>', 'its name')
    .requiredOption('-o, --output <file>', 'where to write it; never overwrites')
    .option('--plaintext-secret', 'write the secret itself as hex: whoever reads the file owns the key')
    .action(async (name: string, options: { output: string; plaintextSecret?: true }) => {
      const { output, paths } = context()
      const { store, source } = await openKeys(context())
      const info = await store.info(name)
      if (options.plaintextSecret === true) {
        const key = await store.unlock(name, await obtainPassword(source, `password of the key "${name}": `))
        await writeNewFile(options.output, `${Buffer.from(key.exportSecret()).toString('hex')}\n`)
      } else await writeNewFile(options.output, await exportText(await store.exportFile(name), paths()))
      if (isValidatorKeyName(name))
        output.note('never run two nodes with this key at a time: they would sign against each other and be punished')
      const document = {
        name,
        publicKey: info.publicKey,
        file: options.output,
        encrypted: options.plaintextSecret !== true
      }
      await output.answer(
        document,
        () => `${name} written to ${options.output}${document.encrypted ? '' : ', NOT encrypted'}`
      )
    })
}

const refusals: Readonly<Record<string, { reason: string; hint: string }>> = {
  account: {
    reason: 'what the account owns belongs to this very key',
    hint: 'make another account with "blyan-node keys new NAME"'
  }
}

function registerRotate(command: Command, context: () => CommandContext): void {
  command
    .command('rotate')
    .summary('give the node a new network identity, or the validator a new key; the old one is kept')
    .addArgument(new Argument('[name]', 'which key').default('node'))
    .action(async (name: string) => {
      const { output } = context()
      if (isValidatorKeyName(name))
        return rotateValidatorKey(context(), { wait: true, timeout: rotationTimeoutSeconds })
      const refusal = refusals[name]
      if (refusal !== undefined) throw new BlyanError('KEY_ROTATION_REFUSED', { name, ...refusal })
      const { store, source } = await openKeys(context())
      await store.info(name)
      const { key, keptAs } = await store.replace(
        name,
        await obtainPassword(source, 'password of the keys: '),
        new Date()
      )
      output.note('a running daemon uses it from its next start on')
      await output.answer({ ...key, keptAs }, () => `${keyText(key)}\nold key: ${keptAs}`)
    })
}

function registerPasswd(command: Command, context: () => CommandContext): void {
  command
    .command('passwd')
    .summary('change the password of all keys')
    .option('--new-password-file <file>', 'file whose first line is the new password')
    .action(async (options: { newPasswordFile?: string }) => {
      const { output } = context()
      const { store, source } = await openKeys(context())
      const before = await obtainPassword(source, 'password of the keys: ')
      const next = await obtainNewPassword(
        { ...source, passwordFile: options.newPasswordFile ?? null },
        'new password: '
      )
      const names = await store.changePassword(before, next)
      if (source.passwordFile !== null)
        output.note(`the file ${source.passwordFile} still holds the old password: change it too`)
      await output.answer({ changed: names }, () => `changed for ${names.join(', ')}`)
    })
}

function keyText(key: KeyInfo): string {
  return fields([
    ['name', key.name],
    ['public key', key.publicKey],
    ['scheme', key.scheme],
    ['file', key.path]
  ])
}
