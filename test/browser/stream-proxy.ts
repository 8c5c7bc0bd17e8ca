/**
 * A proxy between a browser and a service whose streams can be frozen: their sockets stay open and carry nothing, as on a line of
 * which one end is gone without notice. Everything else goes through.
 *
 * Promises: what was frozen stays so; a stream that is opened after a thaw works.
 * Never: changes a byte.
 */
import { connect, createServer, type Server, type Socket } from "node:net"

export interface StreamProxy {
  readonly url: string
  /** From now on no stream carries anything, nor does one that is opened. */
  readonly freeze: () => void
  readonly thaw: () => void
  /** Streams that were opened. */
  readonly opened: () => number
  readonly close: () => Promise<void>
}

const portOf = (server: Server): number => {
  const at = server.address()
  return typeof at === "object" && at !== null ? at.port : 0
}

/** A proxy to the service at this port, on a port of its own. */
export const openStreamProxy = async (port: number): Promise<StreamProxy> => {
  const sockets = new Set<Socket>()
  const streams = new Set<readonly [Socket, Socket]>()
  let isFrozen = false
  let opened = 0
  const hold = (socket: Socket): void => {
    sockets.add(socket)
    // Whichever side ends: the test is about a side that does not.
    socket.on("error", () => socket.destroy())
    socket.once("close", () => sockets.delete(socket))
  }
  const server = createServer((client) => {
    hold(client)
    client.once("data", (first: Buffer) => {
      const isStream = /^upgrade: websocket/im.test(first.toString("latin1"))
      if (isStream) opened += 1
      if (isStream && isFrozen) {
        client.pause()
        return
      }
      const upstream = connect(port, "127.0.0.1")
      hold(upstream)
      upstream.write(first)
      client.pipe(upstream)
      upstream.pipe(client)
      if (isStream) streams.add([client, upstream])
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return {
    url: `http://127.0.0.1:${portOf(server)}`,
    freeze: () => {
      isFrozen = true
      for (const [client, upstream] of streams) {
        client.unpipe(upstream)
        upstream.unpipe(client)
        client.pause()
        upstream.pause()
      }
      streams.clear()
    },
    thaw: () => {
      isFrozen = false
    },
    opened: () => opened,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      })
  }
}
