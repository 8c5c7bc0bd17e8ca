import { randomInt } from "node:crypto"
import { connect } from "node:net"
import * as fc from "fast-check"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { changed } from "../../fuzz/mutations.ts"
import { alert, startWorld, type World } from "./http-world.ts"

let world: World
beforeAll(async () => (world = await startWorld()))
afterAll(() => world.dispose())

const BODY = JSON.stringify(alert())
const head = (more: string): string =>
  `POST /webhook HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n${more}\r\n`
/** Requests that are well framed, in the ways that exist. */
const REQUESTS: ReadonlyArray<string> = [
  `${head(`Content-Length: ${Buffer.byteLength(BODY)}\r\nConnection: close\r\n`)}${BODY}`,
  `${head("Transfer-Encoding: chunked\r\nConnection: close\r\n")}${Buffer.byteLength(BODY).toString(16)}\r\n${BODY}\r\n0\r\n\r\n`,
  "GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
  "GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET /version HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
  "GET /api/v1/live HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  `${head(`Content-Length: ${Buffer.byteLength(BODY)}\r\nExpect: 100-continue\r\nConnection: close\r\n`)}${BODY}`
]

/** Longer than any answer takes; a request that is not whole gets none before the listener's own deadlines. */
const PATIENCE_MS = 250
const CASES = 400
const AT_ONCE = 20

/** Everything that comes back until the peer closes or nothing more is to be expected. */
const exchange = (bytes: Buffer, patienceMs = PATIENCE_MS): Promise<string> =>
  new Promise((resolve) => {
    let text = ""
    const socket = connect(world.port, "127.0.0.1", () => socket.write(bytes))
    socket.setTimeout(patienceMs, () => socket.destroy())
    socket.on("data", (part) => (text += part.toString("latin1")))
    // A peer that refuses what it cannot read may reset.
    socket.on("error", () => undefined)
    socket.on("close", () => resolve(text))
  })

describe("framing", () => {
  it("that is changed anywhere gets an answer, a close or silence, no failure of ours, and hurts nobody else", async () => {
    const seed = randomInt(2 ** 31 - 1)
    const cases = fc.sample(changed(REQUESTS), { numRuns: CASES, seed })
    const answered = new Set<string>()
    const waiting = cases.map((bytes) => bytes)
    const note = (bytes: Buffer, text: string): void => {
      for (const [, status = ""] of text.matchAll(/^HTTP\/1\.1 (\d{3})/gm)) {
        answered.add(status)
        assert.isTrue(
          Number(status) < 500 || status === "503",
          `${status} for ${JSON.stringify(bytes.toString("latin1"))}, seed ${seed}`
        )
      }
    }
    // As they are, each is answered; the upgrade stays open until nothing more is waited for.
    for (const request of REQUESTS) {
      const bytes = Buffer.from(request)
      note(bytes, await exchange(bytes, 2_000))
    }
    assert.includeMembers([...answered], ["101", "200", "201"])
    const worker = async (): Promise<void> => {
      for (let bytes = waiting.pop(); bytes !== undefined; bytes = waiting.pop()) {
        note(bytes, await exchange(bytes))
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, worker))
    assert.include([...answered], "400")
    assert.strictEqual((await world.post(alert({ id: "after" }))).status, 201)
    assert.strictEqual(world.queue.depth(), 0)
  }, 300_000)
})
