import type { IncomingHttpHeaders } from 'node:http'

const tokenProtocol = /^bearer\.([\x21-\x2b\x2d-\x7e]{1,256})$/
/** The one subprotocol that is spoken over WebSockets here. */
export const streamProtocol = 'blyan.1'

/**
 * What a request says of who it is. Browsers can set no header of a WebSocket but its subprotocols, so a token may be one of
 * those: `bearer.TOKEN` beside `blyan.1`.
 */
export function authorizationOf(headers: IncomingHttpHeaders): string | undefined {
  if (headers.authorization !== undefined || headers.upgrade?.toLowerCase() !== 'websocket')
    return headers.authorization
  const offered = (headers['sec-websocket-protocol'] ?? '').split(',').map(protocol => protocol.trim())
  const token = offered.map(protocol => tokenProtocol.exec(protocol)?.[1]).find(found => found !== undefined)
  return token === undefined ? undefined : `Bearer ${token}`
}
