import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { BlyanError, isBlyanError } from '../errors/index.ts'
import { readSmallFile, writeFileDurably } from './durable-file.ts'

/** Passwords come from a file or a terminal, never from a flag's value, which every process list shows. */
export type PasswordSource = {
  readonly passwordFile: string | null
  /** Asks a person; absent when there is no terminal. */
  readonly ask?: (question: string) => Promise<string>
}

const passwordLengthMin = 8
const passwordFileBytesMax = 4096
const typedCharactersMax = 1024

/** Throws KEYS_LOCKED when there is neither a file nor a terminal, PASSWORD_UNUSABLE when the file gives none. */
export async function obtainPassword(source: PasswordSource, question: string): Promise<string> {
  if (source.passwordFile !== null) return readPasswordFile(source.passwordFile)
  if (source.ask === undefined) throw new BlyanError('KEYS_LOCKED')
  return checked(await source.ask(question), 'it')
}

/** As above, but asks twice, for a password that will encrypt something. */
export async function obtainNewPassword(source: PasswordSource, question: string): Promise<string> {
  const password = await obtainPassword(source, question)
  if (source.passwordFile === null && source.ask !== undefined && (await source.ask('the same again: ')) !== password) {
    throw new BlyanError('PASSWORD_UNUSABLE', { reason: 'the two differ' })
  }
  return password
}

/** Makes a random password in keys/password, for machines where nobody can type one. Keeps one that is there. */
export async function ensureGeneratedPassword(keysFolder: string): Promise<{ path: string; made: boolean }> {
  const path = join(keysFolder, 'password')
  if ((await readSmallFile(path)) !== null) return { path, made: false }
  await writeFileDurably(path, `${randomBytes(24).toString('base64url')}\n`, { mode: 0o600, exclusive: true })
  return { path, made: true }
}

async function readPasswordFile(path: string): Promise<string> {
  try {
    const text = await readSmallFile(path, passwordFileBytesMax)
    if (text === null) throw new BlyanError('PASSWORD_UNUSABLE', { reason: `there is no file ${path}` })
    return checked(text.split(/\r?\n/)[0] ?? '', `the first line of ${path}`)
  } catch (error) {
    if (isBlyanError(error)) throw error
    throw new BlyanError('PASSWORD_UNUSABLE', { reason: (error as Error).message }, { cause: error })
  }
}

function checked(password: string, what: string): string {
  if (password.length < passwordLengthMin) {
    throw new BlyanError('PASSWORD_UNUSABLE', { reason: `${what} has fewer than ${passwordLengthMin} characters` })
  }
  return password
}

/** Reads a line from the terminal without showing it. Undefined when there is no terminal to ask on. */
export function terminalPrompt(): PasswordSource['ask'] {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return undefined
  return question =>
    new Promise((resolve, reject) => {
      const { stdin, stderr } = process
      let typed = ''
      const end = (settle: () => void): void => {
        stdin.off('data', onData)
        stdin.setRawMode(false)
        stdin.pause()
        stderr.write('\n')
        settle()
      }
      const onData = (chunk: string): void => {
        for (const character of chunk) {
          if ('\r\n\u0004\u0003'.includes(character)) {
            end(() => (character === '\u0003' ? reject(new BlyanError('INTERRUPTED')) : resolve(typed)))
            return
          }
          if (character === '\u007f' || character === '\b') typed = typed.slice(0, -1)
          else if (typed.length < typedCharactersMax) typed += character
        }
      }
      stderr.write(question)
      stdin.setEncoding('utf8')
      stdin.setRawMode(true)
      stdin.resume()
      stdin.on('data', onData)
    })
}
