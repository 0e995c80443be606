import { type Command, Option } from 'commander'
import { type ConfigValue, type FlagValues, importConfig } from '../node/index.ts'

/** Gives a command a flag for every setting, and returns how to read them back by dotted key. */
export async function addConfigFlags(
  command: Command
): Promise<(options: Readonly<Record<string, unknown>>) => FlagValues> {
  const { configFields, valueOfText } = await importConfig()
  const attributes = new Map<string, string>()
  for (const field of configFields) {
    // A flag of all commands already.
    if (field.key === 'keys.passwordFile') continue
    const option = new Option(field.flag, `${field.description} (default: ${JSON.stringify(field.defaultValue)})`)
    option.argParser((text: string, before: unknown) => {
      const value = valueOfText(field, text)
      return Array.isArray(value) && Array.isArray(before) ? [...before, ...value] : value
    })
    attributes.set(field.key, option.attributeName())
    command.addOption(option)
  }
  return options =>
    Object.fromEntries([...attributes].map(([key, attribute]) => [key, options[attribute] as ConfigValue | undefined]))
}
