/**
 * Frames by hand: what a WebSocket library refuses to send.
 *
 * Promises: a server's frame, unmasked, of the given first byte and payload.
 * Never: validates anything; that is the point.
 */

/** A frame with this first byte (FIN, RSV, opcode) and payload. */
export const frameOf = (first: number, payload: Buffer): Buffer => {
  if (payload.length < 126) return Buffer.concat([Buffer.from([first, payload.length]), payload])
  if (payload.length < 65_536) {
    const head = Buffer.from([first, 126, 0, 0])
    head.writeUInt16BE(payload.length, 2)
    return Buffer.concat([head, payload])
  }
  const head = Buffer.alloc(10)
  head[0] = first
  head[1] = 127
  head.writeBigUInt64BE(BigInt(payload.length), 2)
  return Buffer.concat([head, payload])
}

/** A close frame; null: without a code. */
export const closeFrame = (code: number | null, reason: string): Buffer => {
  if (code === null) return frameOf(0x88, Buffer.alloc(0))
  const payload = Buffer.alloc(2 + Buffer.byteLength(reason))
  payload.writeUInt16BE(code, 0)
  payload.write(reason, 2)
  return frameOf(0x88, payload)
}

export const textFrame = (text: string): Buffer => frameOf(0x81, Buffer.from(text))
