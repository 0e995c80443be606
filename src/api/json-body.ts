import type { FastifyInstance, FastifyRequest } from 'fastify'
import { BlyanError } from '../errors/index.ts'

type Done = (error: Error | null, value?: unknown) => void

/** Reads a JSON body as exact UTF-8: what is none is refused, where a lenient reader would put question marks into a prompt. */
export function jsonOfBytes(server: FastifyInstance): (request: FastifyRequest, body: Buffer, done: Done) => void {
  const parse = server.getDefaultJsonParser('error', 'error')
  const decoder = new TextDecoder('utf-8', { fatal: true })
  return (request, body, done) => {
    let text: string
    try {
      text = decoder.decode(body)
    } catch (error) {
      done(new BlyanError('TEXT_NOT_UTF8', { what: 'the body' }, { cause: error }))
      return
    }
    void parse(request, text, done)
  }
}
