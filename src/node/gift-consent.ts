import { publicKeyFromText, publicKeyToText, type SigningKey } from '../codec/index.ts'
import { BlyanError } from '../errors/index.ts'
import { type GifterKind, giftConsent } from '../ledger/index.ts'
import type { Config } from './config-schema.ts'
import { ppmOfPercent } from './percent.ts'
import { readGenesis } from './read-genesis.ts'

export type SignedConsent = { readonly gifter: string; readonly consent: string; readonly flags: string }

/** A gifter's signature for a node of another account, on the terms of the settings. Throws ACCOUNT_INVALID, GENESIS_*. */
export async function consentTo(input: {
  readonly root: string
  readonly config: Config
  readonly gifter: SigningKey
  readonly node: string
  readonly kind: GifterKind
}): Promise<SignedConsent> {
  const { root, config, gifter, node, kind } = input
  requireAccount(node)
  const genesis = await readGenesis(root, config.network.genesisFile)
  const { uptimePercent, sharePercent } = config.gifted
  const gift = {
    account: node,
    kind,
    uptimePpm: ppmOfPercent(uptimePercent),
    sharePpm: ppmOfPercent(sharePercent)
  }
  const account = publicKeyToText(gifter.publicKey)
  const consent = giftConsent(genesis.digest, gift, gifter)
  const flags = `--gifted-by ${kind} --gifted-account ${account} --uptime ${uptimePercent} --share ${sharePercent} --gifted-consent ${consent}`
  return { gifter: account, consent, flags }
}

function requireAccount(text: string): void {
  try {
    publicKeyFromText(text)
  } catch {
    throw new BlyanError('ACCOUNT_INVALID', { account: text.slice(0, 128) })
  }
}
