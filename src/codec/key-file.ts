import { Buffer } from 'node:buffer'
import { createCipheriv, createDecipheriv, scrypt } from 'node:crypto'
import { BlyanError } from '../errors/index.ts'
import { importSigningKey, publicKeyToText, type SignatureScheme, type SigningKey } from './signatures.ts'

/**
 * Encrypted key files: scrypt (RFC 7914) derives the key, AES-256-GCM encrypts the 32 secret bytes and authenticates
 * every other field of the file.
 */
export type KeyFile = {
  readonly schema: 'blyan.key/1'
  readonly name: string
  readonly scheme: SignatureScheme
  readonly publicKey: string
  readonly createdAt: string
  readonly kdf: {
    readonly name: 'scrypt'
    readonly n: number
    readonly r: number
    readonly p: number
    readonly salt: string
  }
  readonly cipher: { readonly name: 'aes-256-gcm'; readonly nonce: string; readonly text: string; readonly tag: string }
}

export type ScryptCost = { readonly n: number; readonly r: number; readonly p: number }

/** `standard` takes about half a second and 128 MiB; `light` is for networks on one machine that are thrown away. */
export const scryptCosts = { standard: { n: 131072, r: 8, p: 1 }, light: { n: 4096, r: 8, p: 1 } } as const

export const keyFileSchemaName = 'blyan.key/1'
/** `nTimesR` times 128 bytes of memory: 1 GiB. */
const costMax = { nTimesR: 1 << 23, p: 16 }

export type EncryptInput = {
  readonly key: SigningKey
  readonly name: string
  readonly password: string
  readonly cost: ScryptCost
  /** 32 random bytes. */
  readonly salt: Uint8Array
  /** 12 random bytes, used once. */
  readonly nonce: Uint8Array
  readonly createdAt: string
}

export async function encryptKey(input: EncryptInput): Promise<KeyFile> {
  const head = {
    schema: keyFileSchemaName,
    name: input.name,
    scheme: input.key.scheme,
    publicKey: publicKeyToText(input.key.publicKey),
    createdAt: input.createdAt,
    kdf: { name: 'scrypt', ...input.cost, salt: Buffer.from(input.salt).toString('hex') }
  } as const
  const cipher = createCipheriv('aes-256-gcm', await derive(input.password, head.kdf), input.nonce)
  cipher.setAAD(Buffer.from(JSON.stringify(head)))
  const secret = input.key.exportSecret()
  const text = Buffer.concat([cipher.update(secret), cipher.final()])
  secret.fill(0)
  return {
    ...head,
    cipher: {
      name: 'aes-256-gcm',
      nonce: Buffer.from(input.nonce).toString('hex'),
      text: text.toString('hex'),
      tag: cipher.getAuthTag().toString('hex')
    }
  }
}

/** Throws KEY_PASSWORD_WRONG, or KEY_INVALID when the file itself makes no sense. */
export async function decryptKey(file: KeyFile, password: string): Promise<SigningKey> {
  const { cipher, ...fields } = file
  if (fields.schema !== keyFileSchemaName || cipher?.name !== 'aes-256-gcm' || fields.kdf?.name !== 'scrypt') {
    throw new BlyanError('KEY_INVALID', { reason: `not a ${keyFileSchemaName} file` })
  }
  const { schema, name, scheme, publicKey, createdAt, kdf } = fields
  const head = {
    schema,
    name,
    scheme,
    publicKey,
    createdAt,
    kdf: { name: kdf.name, n: kdf.n, r: kdf.r, p: kdf.p, salt: kdf.salt }
  }
  if (!(kdf.n * kdf.r <= costMax.nTimesR && kdf.p <= costMax.p)) {
    throw new BlyanError('KEY_INVALID', { reason: 'its scrypt cost is beyond any sense' })
  }
  let secret: Buffer
  try {
    const decipher = createDecipheriv('aes-256-gcm', await derive(password, kdf), Buffer.from(cipher.nonce, 'hex'), {
      authTagLength: 16
    })
    decipher.setAAD(Buffer.from(JSON.stringify(head)))
    decipher.setAuthTag(Buffer.from(cipher.tag, 'hex'))
    secret = Buffer.concat([decipher.update(Buffer.from(cipher.text, 'hex')), decipher.final()])
  } catch (error) {
    throw new BlyanError('KEY_PASSWORD_WRONG', { name: String(name) }, { cause: error })
  }
  const key = importSigningKey(scheme, secret)
  secret.fill(0)
  if (publicKeyToText(key.publicKey) !== publicKey)
    throw new BlyanError('KEY_INVALID', { reason: 'its secret and public key differ' })
  return key
}

function derive(password: string, kdf: KeyFile['kdf']): Promise<Buffer> {
  const { n: N, r, p } = kdf
  return new Promise((resolve, reject) => {
    scrypt(
      password.normalize('NFKC'),
      Buffer.from(kdf.salt, 'hex'),
      32,
      { N, r, p, maxmem: 256 * N * r + 1024 * 1024 },
      (error, key) => (error === null ? resolve(key) : reject(error))
    )
  })
}
