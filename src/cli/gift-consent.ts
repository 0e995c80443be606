import type { GifterKind } from '../ledger/index.ts'
import { importConfig, importGiftConsent, importKeyStore, obtainPassword } from '../node/index.ts'
import { type CommandContext, passwordSource } from './context.ts'
import { fields } from './output.ts'

export type ConsentOptions = {
  readonly kind: GifterKind
  readonly uptime: string
  readonly share: string
}

/** Signs with this data folder's account key that its owner gives another node. No daemon is needed. */
export async function signConsent(context: CommandContext, node: string, options: ConsentOptions): Promise<void> {
  const paths = context.paths()
  const { loadConfig } = await importConfig()
  const { config, passwordFile } = await loadConfig({
    dataFolder: paths.root,
    flags: {
      'keys.passwordFile': context.passwordFile,
      'gifted.uptimePercent': options.uptime,
      'gifted.sharePercent': options.share
    },
    env: context.env
  })
  const { openKeyStore } = await importKeyStore()
  const password = await obtainPassword(passwordSource(passwordFile), 'password of the keys: ')
  const gifter = await openKeyStore(paths.keysFolder).unlock('account', password)
  const { consentTo } = await importGiftConsent()
  const signed = await consentTo({ root: paths.root, config, gifter, node, kind: options.kind })
  await context.output.answer(signed, () =>
    fields([
      ['gifter', signed.gifter],
      ['consent', signed.consent],
      ['next', `on the node: start --role gifted ${signed.flags}`]
    ])
  )
}
