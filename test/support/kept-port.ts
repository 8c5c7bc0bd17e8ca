/**
 * A port for a server that goes away and comes back under its address.
 *
 * The system hands out ports from a range of its own, also to the near end of every connection. A port of that range that
 * is free for a moment may be somebody else's the next.
 *
 * Promises: a port below that range at which nobody listens now.
 * Never: reserves it; two that ask at once may be told the same, one time in many thousands.
 */
import { randomInt } from "node:crypto"
import { createServer } from "node:net"

/** Above what browsers and clients refuse, below what Linux hands out (32,768) and others do (49,152). */
const [low, high] = [12_000, 32_000]

const isFree = (port: number): Promise<boolean> =>
  new Promise((settle) => {
    const server = createServer()
    server.once("error", () => settle(false))
    server.listen(port, "127.0.0.1", () => server.close(() => settle(true)))
  })

export const keptPort = async (): Promise<number> => {
  for (let tries = 0; tries < 100; tries += 1) {
    const port = randomInt(low, high)
    if (await isFree(port)) return port
  }
  throw new Error(`no port is free between ${low} and ${high}`)
}
