import { importConfig } from '../../node/index.ts'
import type { RegisterCommand } from '../context.ts'
import { table } from '../output.ts'

export const register: RegisterCommand = (command, context) => {
  command
    .command('show')
    .summary('every setting')
    .option('--origin', 'also where each value comes from')
    .action(async (options: { origin?: true }) => {
      const { output, paths, env, passwordFile } = context()
      const { configFields, loadConfig } = await importConfig()
      const flags = { 'keys.passwordFile': passwordFile }
      const { config, origins } = await loadConfig({ dataFolder: paths().root, flags, env })
      const sections = config as Readonly<Record<string, Readonly<Record<string, unknown>>>>
      const rows = configFields.map(field => ({
        key: field.key,
        value: sections[field.section]?.[field.name],
        origin: origins[field.key] ?? 'default'
      }))
      const document = options.origin === true ? { dataFolder: paths().root, settings: rows } : config
      await output.answer(document, () =>
        table(
          options.origin === true ? ['setting', 'value', 'from'] : ['setting', 'value'],
          rows.map(row => [row.key, JSON.stringify(row.value), ...(options.origin === true ? [row.origin] : [])])
        )
      )
    })
}
