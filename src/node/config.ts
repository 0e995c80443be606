import { isAbsolute, join } from 'node:path'
import { parse, TomlError } from 'smol-toml'
import type { z } from 'zod'
import { BlyanError } from '../errors/index.ts'
import {
  type Config,
  type ConfigField,
  type ConfigValue,
  configFields,
  configSchema,
  configSections
} from './config-schema.ts'
import { dataFolderPaths, type Environment } from './data-folder.ts'
import { readSmallFile } from './durable-file.ts'
import { nearestWord } from './suggestion.ts'

export { type Config, type ConfigField, type ConfigValue, configFields, logLevels, roles } from './config-schema.ts'

/**
 * Settings of a node: flag, then `BLYAN_*`, then config.toml, then default; each value keeps where it came from.
 * A word nobody knows is an error with a suggestion, never ignored: a mistyped limit must not become no limit.
 */
export type ConfigOrigin = 'flag' | 'environment' | 'file' | 'default'

export type LoadedConfig = {
  /** Its file names are absolute. */
  readonly config: Config
  /** By dotted key. */
  readonly origins: Readonly<Record<string, ConfigOrigin>>
  /** Null when the password is to be asked for. */
  readonly passwordFile: string | null
}

export type FlagValues = Readonly<Record<string, ConfigValue | undefined>>

/** Variables that are no settings: where the data is, and how the launcher and the tests run. */
const otherVariables = ['BLYAN_DATA', 'BLYAN_BIN', 'BLYAN_KEEP_ALL_BINARIES', 'BLYAN_PASSWORD_FILE']

const configKeys: readonly string[] = configFields.map(field => field.key)

/** `flags` by dotted key. Throws CONFIG_KEY_UNKNOWN, CONFIG_VALUE_INVALID, CONFIG_FILE_INVALID. */
export async function loadConfig(input: {
  dataFolder: string
  flags: FlagValues
  env: Environment
}): Promise<LoadedConfig> {
  const paths = dataFolderPaths(input.dataFolder)
  const file = readFileValues((await readSmallFile(paths.configFile)) ?? '', paths.configFile)
  const environment = readEnvironment(input.env)
  const origins: Record<string, ConfigOrigin> = {}
  const chosen: Record<string, Record<string, unknown>> = Object.fromEntries(
    configSections.map(section => [section, {}])
  )
  for (const field of configFields) {
    const candidates: readonly [ConfigOrigin, unknown][] = [
      ['flag', input.flags[field.key]],
      ['environment', environment.get(field.key)],
      ['file', file.get(field.key)]
    ]
    const [origin, value] = candidates.find(([, candidate]) => candidate !== undefined) ?? ['default', undefined]
    origins[field.key] = origin
    chosen[field.section]![field.name] =
      origin === 'default' ? undefined : checkedValue(field, value, originText(field, origin, paths.configFile))
  }
  const config = configSchema.parse(chosen)
  const { network, keys } = config
  network.genesisFile = pathOf(network.genesisFile, origins['network.genesisFile'], paths.root)
  if (keys.passwordFile !== '') keys.passwordFile = pathOf(keys.passwordFile, origins['keys.passwordFile'], paths.root)
  return Object.freeze({
    config: deepFreeze(config),
    origins: Object.freeze(origins),
    passwordFile: keys.passwordFile === '' ? null : keys.passwordFile
  })
}

/** A config.toml with every setting, its comment and its default; overridden ones are set, the others commented out. */
export function defaultConfigToml(overrides: FlagValues = {}): string {
  const lines = [
    '# Settings of this blyan-node. A line that starts with # shows the default.',
    '# Order: flag, then BLYAN_* variable, then this file, then default.'
  ]
  for (const section of configSections) {
    lines.push('', `[${section}]`)
    for (const field of configFields.filter(candidate => candidate.section === section)) {
      const value = overrides[field.key]
      lines.push(`# ${field.description} (${field.flag.split(' ')[0]}, ${field.environment})`)
      lines.push(
        value === undefined ? `# ${field.name} = ${toml(field.defaultValue)}` : `${field.name} = ${toml(value)}`
      )
    }
  }
  return `${lines.join('\n')}\n`
}

/** Sets one value in the text of a config.toml and leaves every other line and comment as it is. */
export function withConfigValue(text: string, key: string, value: ConfigValue): string {
  const [section, name] = key.split('.')
  const lines = text.split('\n')
  const start = lines.findIndex(line => line.trim() === `[${section}]`)
  const assignment = `${name} = ${toml(value)}`
  if (start === -1) return `${text.trimEnd()}\n\n[${section}]\n${assignment}\n`
  const next = lines.findIndex((line, index) => index > start && /^\s*\[/.test(line))
  const end = next === -1 ? lines.length : next
  const written = lines.findIndex(
    (line, index) => index > start && index < end && new RegExp(`^\\s*${name}\\s*=`).test(line)
  )
  const shown = lines.findIndex(
    (line, index) => index > start && index < end && new RegExp(`^#\\s*${name}\\s*=`).test(line)
  )
  const place = written === -1 ? shown : written
  if (place === -1) lines.splice(start + 1, 0, assignment)
  else lines[place] = assignment
  return lines.join('\n')
}

/** A file given by flag or variable is looked for where the user stands, one from the file or default in the data folder. */
function pathOf(path: string, origin: ConfigOrigin | undefined, root: string): string {
  return isAbsolute(path) ? path : join(origin === 'flag' || origin === 'environment' ? process.cwd() : root, path)
}

function readFileValues(text: string, path: string): Map<string, unknown> {
  let document: Record<string, unknown>
  try {
    document = parse(text)
  } catch (error) {
    const reason = error instanceof TomlError ? `line ${error.line}: ${error.message.split('\n')[0]}` : String(error)
    throw new BlyanError('CONFIG_FILE_INVALID', { path, reason }, { cause: error })
  }
  const values = new Map<string, unknown>()
  for (const [section, table] of Object.entries(document)) {
    const isTable = typeof table === 'object' && table !== null && !Array.isArray(table)
    if (!isTable || !(configSections as readonly string[]).includes(section))
      throw unknownKey(section, path, [...configSections, ...configKeys])
    for (const [name, value] of Object.entries(table)) {
      if (!configKeys.includes(`${section}.${name}`)) throw unknownKey(`${section}.${name}`, path, configKeys)
      values.set(`${section}.${name}`, value)
    }
  }
  return values
}

function readEnvironment(env: Environment): Map<string, unknown> {
  const byName = new Map(configFields.map(field => [field.environment, field]))
  const values = new Map<string, unknown>()
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith('BLYAN_') || text === undefined) continue
    const field = byName.get(name)
    if (field !== undefined) values.set(field.key, valueOfText(field, text))
    else if (!otherVariables.includes(name))
      throw unknownKey(name, 'the environment', [...byName.keys(), ...otherVariables])
  }
  return values
}

/** Text of a variable or flag as the type of its field; what does not fit stays text and is refused by the schema. */
export function valueOfText(field: ConfigField, text: string): ConfigValue {
  const trimmed = text.trim()
  if (field.kind === 'list') return trimmed === '' ? [] : trimmed.split(',').map(item => item.trim())
  if (field.kind === 'number' && /^-?\d+$/.test(trimmed)) return Number(trimmed)
  if (field.kind === 'boolean' && /^(true|false)$/.test(trimmed)) return trimmed === 'true'
  return text
}

function checkedValue(field: ConfigField, value: unknown, origin: string): unknown {
  const section = configSchema.shape[field.section as keyof Config] as z.ZodObject
  const result = (section.shape[field.name] as z.ZodType).safeParse(value)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  const where = issue !== undefined && issue.path.length > 0 ? `entry ${Number(issue.path[0]) + 1}: ` : ''
  const allowed = `${where}${issue?.message ?? 'not allowed'} (${field.description})`
  throw new BlyanError('CONFIG_VALUE_INVALID', {
    key: field.key,
    value: JSON.stringify(value)?.slice(0, 200),
    origin,
    allowed
  })
}

function originText(field: ConfigField, origin: ConfigOrigin, file: string): string {
  if (origin === 'flag') return `the flag ${field.flag.split(' ')[0]}`
  return origin === 'environment' ? `the variable ${field.environment}` : file
}

function unknownKey(key: string, origin: string, known: readonly string[]): BlyanError {
  const nearest = nearestWord(key, known)
  const hint =
    nearest === undefined ? '"blyan-node config show" prints every setting there is' : `did you mean "${nearest}"?`
  return new BlyanError('CONFIG_KEY_UNKNOWN', { key: key.slice(0, 200), origin, hint })
}

/** Strings of JSON are strings of TOML, except that TOML also wants DEL written as an escape. */
function toml(value: ConfigValue): string {
  return (Array.isArray(value) ? `[${value.map(item => toml(item)).join(', ')}]` : JSON.stringify(value)).replaceAll(
    '\u007f',
    '\\u007f'
  )
}

function deepFreeze<T extends object>(value: T): T {
  for (const part of Object.values(value)) if (typeof part === 'object' && part !== null) deepFreeze(part)
  return Object.freeze(value)
}
