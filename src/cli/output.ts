import { styleText } from 'node:util'

/**
 * What a command prints. With `--json` stdout carries one JSON document, or one a line, and nothing else;
 * without it stdout carries text for people. Notes always go to stderr.
 */
export interface Output {
  readonly json: boolean
  readonly verbose: boolean
  /** One answer: the document with --json, else the text. */
  answer(document: unknown, human: () => string | Promise<string>): Promise<void>
  /** One of many answers, a line each. */
  line(document: unknown, human: () => string): Promise<void>
  /** For people only. */
  note(text: string): void
  /** Bytes as they are made, without --json. */
  raw(bytes: Uint8Array | string): Promise<void>
}

export function createOutput(options: { json: boolean; verbose: boolean }): Output {
  return new ConsoleOutput(options.json, options.verbose)
}

class ConsoleOutput implements Output {
  readonly json: boolean
  readonly verbose: boolean

  constructor(json: boolean, verbose: boolean) {
    this.json = json
    this.verbose = verbose
  }

  async answer(document: unknown, human: () => string | Promise<string>): Promise<void> {
    await this.raw(`${this.json ? JSON.stringify(document) : await human()}\n`)
  }

  line(document: unknown, human: () => string): Promise<void> {
    return this.raw(`${this.json ? JSON.stringify(document) : human()}\n`)
  }

  note(text: string): void {
    process.stderr.write(`${text}\n`)
  }

  /** Waits for a slow reader, so that a long list never piles up in memory. */
  raw(bytes: Uint8Array | string): Promise<void> {
    return new Promise(resolve => {
      if (process.stdout.write(bytes)) resolve()
      else process.stdout.once('drain', resolve)
    })
  }
}

/** Names and values below each other. Null values are left out. */
export function fields(rows: readonly (readonly [string, string | number | null])[]): string {
  const shown = rows.filter(([, value]) => value !== null)
  const width = Math.max(...shown.map(([name]) => name.length))
  return shown.map(([name, value]) => `${faint(name.padEnd(width))}  ${printable(String(value))}`).join('\n')
}

/** A table without frames, loaded only when one is printed. */
export async function table(
  head: readonly string[],
  rows: readonly (readonly (string | number | null)[])[]
): Promise<string> {
  if (rows.length === 0) return faint('none')
  const { default: Table } = await import('cli-table3')
  const none = {
    top: '',
    'top-mid': '',
    'top-left': '',
    'top-right': '',
    bottom: '',
    'bottom-mid': '',
    'bottom-left': '',
    'bottom-right': ''
  }
  const lines = { left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: '  ' }
  const made = new Table({
    head: head.map(faint),
    chars: { ...none, ...lines },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 }
  })
  for (const row of rows) made.push(row.map(cell => printable(cell === null ? '-' : String(cell))))
  return made
    .toString()
    .split('\n')
    .map(line => line.trimEnd())
    .join('\n')
}

/** Others wrote some of what is shown: control characters must not reach the terminal. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, '\ufffd')
}

export function faint(text: string): string {
  return styleText('dim', text, { stream: process.stdout })
}

export function strong(text: string): string {
  return styleText('bold', text, { stream: process.stdout })
}

export function coloured(colour: 'green' | 'yellow' | 'red', text: string): string {
  return styleText(colour, text, { stream: process.stdout })
}

export function sizeText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  const step = bytes < 1 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), units.length - 1)
  return `${step === 0 ? bytes : (bytes / 1024 ** step).toFixed(1)} ${units[step]}`
}
