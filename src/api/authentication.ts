import { createHash, timingSafeEqual } from 'node:crypto'
import { BlyanError } from '../errors/index.ts'
import type { ApiTokens } from '../node/index.ts'
import { type Scope, scopes } from './route.ts'

/** Decides whether a request may do what it asks. Guessing is slow: wrong tokens are counted by address. */
export interface Authenticator {
  /** Throws TOKEN_INVALID, TOKEN_SCOPE_TOO_SMALL, TOO_MANY_BAD_TOKENS. */
  authorise(needed: Scope, authorization: string | undefined, address: string): void
}

const badTokensPerWindowMax = 20
const windowMs = 60_000
const addressesMax = 1024

export function createAuthenticator(tokens: ApiTokens, nowMs: () => number): Authenticator {
  return new TokenAuthenticator(tokens, nowMs)
}

class TokenAuthenticator implements Authenticator {
  readonly #digests: readonly { readonly scope: Scope; readonly digest: Buffer }[]
  readonly #nowMs: () => number
  readonly #bad = new Map<string, { count: number; endsMs: number }>()

  constructor(tokens: ApiTokens, nowMs: () => number) {
    this.#nowMs = nowMs
    this.#digests = (['read', 'operate', 'sign'] as const).map(scope => ({ scope, digest: digestOf(tokens[scope]) }))
  }

  authorise(needed: Scope, authorization: string | undefined, address: string): void {
    if (needed === 'none') return
    const token = /^Bearer ([\x21-\x7e]{1,256})$/i.exec(authorization ?? '')?.[1]
    const held = token === undefined ? undefined : this.#scopeOf(token)
    if (held === undefined) throw this.#refuse(address, token !== undefined)
    if (scopes.indexOf(held) < scopes.indexOf(needed)) throw new BlyanError('TOKEN_SCOPE_TOO_SMALL', { needed })
  }

  /** Compares digests of equal length in constant time, with all tokens. */
  #scopeOf(token: string): Scope | undefined {
    const digest = digestOf(token)
    let held: Scope | undefined
    for (const known of this.#digests) if (timingSafeEqual(known.digest, digest)) held = known.scope
    return held
  }

  #refuse(address: string, wasGuess: boolean): BlyanError {
    const nowMs = this.#nowMs()
    const known = this.#bad.get(address)
    const entry = known === undefined || known.endsMs <= nowMs ? { count: 0, endsMs: nowMs + windowMs } : known
    if (wasGuess) entry.count++
    this.#bad.delete(address)
    if (this.#bad.size >= addressesMax) this.#bad.delete(this.#bad.keys().next().value!)
    this.#bad.set(address, entry)
    return new BlyanError(entry.count > badTokensPerWindowMax ? 'TOO_MANY_BAD_TOKENS' : 'TOKEN_INVALID')
  }
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}
