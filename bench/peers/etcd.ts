import { type ClientHttp2Session, connect, constants } from 'node:http2'
import { join } from 'node:path'
import { findProgram, freePorts, untilDone, untilListening, withPrograms } from './programs.ts'
import type { System, SystemOpener } from './system.ts'

const members = 3
const sessionsPerMember = 4
const inFlight = 256

/** Three members that write to disk before they answer (fsync is etcd's default), asked through their gRPC API. */
export const etcd: SystemOpener = {
  name: 'etcd',
  install: 'apt-get install -y etcd-server',
  isHere: () => findProgram('etcd') !== undefined,
  async open(folder, work) {
    const ports = await freePorts(2 * members)
    const url = (port: number): string => `http://127.0.0.1:${port}`
    const places = Array.from({ length: members }, (_, place) => place)
    const cluster = places.map(place => `member${place}=${url(ports[2 * place + 1]!)}`).join(',')
    const programs = places.map(place => ({
      logFile: join(folder, `etcd-${place}.log`),
      args: [
        ...['--name', `member${place}`, '--data-dir', join(folder, `etcd-${place}`), '--log-level', 'error'],
        ...['--listen-client-urls', url(ports[2 * place]!), '--advertise-client-urls', url(ports[2 * place]!)],
        ...['--listen-peer-urls', url(ports[2 * place + 1]!)],
        ...['--initial-advertise-peer-urls', url(ports[2 * place + 1]!)],
        ...['--initial-cluster', cluster, '--initial-cluster-state', 'new']
      ]
    }))
    return withPrograms(findProgram('etcd')!, programs, async ({ pids }) => {
      for (const place of places) await untilListening(ports[2 * place]!)
      const sessions = Array.from({ length: sessionsPerMember }, () =>
        places.map(place => connect(url(ports[2 * place]!)))
      ).flat()
      for (const session of sessions) session.on('error', () => {})
      try {
        const cluster = new EtcdCluster(sessions, pids)
        await untilDone('etcd elects a leader', () => cluster.write(Buffer.from('ready')))
        return await work(cluster)
      } finally {
        for (const session of sessions) session.destroy()
      }
    })
  }
}

class EtcdCluster implements System {
  readonly pids: readonly number[]
  readonly #sessions: readonly ClientHttp2Session[]
  #written = 0

  constructor(sessions: readonly ClientHttp2Session[], pids: readonly number[]) {
    this.#sessions = sessions
    this.pids = pids
  }

  write(value: Buffer): Promise<void> {
    const place = this.#written++
    return put(this.#sessions[place % this.#sessions.length]!, Buffer.from(`key ${place}`), value)
  }

  async writeAll(values: readonly Buffer[]): Promise<void> {
    let next = 0
    const client = async (): Promise<void> => {
      while (next < values.length) await this.write(values[next++]!)
    }
    await Promise.all(Array.from({ length: inFlight }, client))
  }
}

/** `etcdserverpb.KV/Put`, by hand: a client library would be a dependency for one call. */
function put(session: ClientHttp2Session, key: Buffer, value: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_PATH]: '/etcdserverpb.KV/Put',
      [constants.HTTP2_HEADER_CONTENT_TYPE]: 'application/grpc',
      [constants.HTTP2_HEADER_TE]: 'trailers'
    })
    let status = ''
    const read = (headers: object): void => {
      status = String((headers as Record<string, unknown>)['grpc-status'] ?? status)
    }
    stream.on('response', read)
    stream.on('trailers', read)
    stream.on('error', reject)
    stream.on('close', () => (status === '0' ? resolve() : reject(new Error(`etcd answered ${status}`))))
    stream.resume()
    stream.end(message(Buffer.concat([field(1, key), field(2, value)])))
  })
}

/** gRPC: not compressed, length, message. */
function message(bytes: Buffer): Buffer {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(bytes.length, 1)
  return Buffer.concat([head, bytes])
}

/** Protocol Buffers: a field of bytes, shorter than 16 KiB. */
function field(number: number, bytes: Buffer): Buffer {
  const length = bytes.length < 128 ? [bytes.length] : [(bytes.length & 127) | 128, bytes.length >> 7]
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...length]), bytes])
}
