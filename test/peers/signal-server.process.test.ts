import { assert, describe, it } from "@effect/vitest"
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterEach } from "vitest"
import { WebSocket } from "ws"

const program = fileURLToPath(new URL("../../peers/signal-server/main.ts", import.meta.url))
const running = new Set<ChildProcess>()
const directory = mkdtempSync(join(tmpdir(), "holdfast-signals-"))

afterEach(() => {
  for (const child of running) child.kill("SIGKILL")
  running.clear()
})

interface Line {
  readonly event: string
  readonly url?: string
  readonly port?: number
  readonly problems?: ReadonlyArray<string>
}

/** Starts the program; `line` gives the first line with this event. */
const start = (script: unknown, port = "0") => {
  const file = join(directory, `${Math.random()}.json`)
  writeFileSync(file, JSON.stringify(script))
  const child = spawn(process.execPath, [program, "--port", port, "--script", file], {
    stdio: ["ignore", "pipe", "inherit"]
  })
  running.add(child)
  let text = ""
  child.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()))
  const exited = new Promise<number | null>((settle) => child.once("exit", (code) => settle(code)))
  const line = async (event: string): Promise<Line> => {
    const deadline = performance.now() + 60_000
    while (performance.now() < deadline) {
      const lines = text
        .split("\n")
        .slice(0, -1)
        .map((one) => JSON.parse(one) as Line)
      const found = lines.find((one) => one.event === event)
      if (found !== undefined) return found
      await new Promise((settle) => setTimeout(settle, 20))
    }
    throw new Error(`no line ${event} in: ${text}`)
  }
  return { child, exited, line }
}

/** Says these messages one after the other and collects the answers until `count` came or the server closed. */
const talk = (url: string, messages: ReadonlyArray<object>, count: number) =>
  new Promise<ReadonlyArray<Record<string, unknown>>>((settle, fail) => {
    const socket = new WebSocket(url)
    const answers: Array<Record<string, unknown>> = []
    const done = (): void => {
      socket.terminate()
      settle(answers)
    }
    socket.on("open", () => {
      for (const message of messages) socket.send(JSON.stringify(message))
    })
    socket.on("message", (bytes) => {
      answers.push(JSON.parse(Buffer.isBuffer(bytes) ? bytes.toString() : "{}") as Record<string, unknown>)
      if (answers.length === count) done()
    })
    socket.on("close", done)
    socket.on("error", fail)
  })

describe("npm run signal-server", () => {
  it("speaks the protocol of the contract: auth, the first batch unasked, signals, stats, pong; stops with 0", async () => {
    const { child, exited, line } = start({ token: "t", perWave: 2, keepWaves: 2, frame: 3 })
    const { url = "" } = await line("signals.listening")
    const answers = await talk(
      url,
      [{ type: "auth", token: "t" }, { type: "get_stats" }, { type: "ping" }, { type: "get_signals" }],
      7
    )
    assert.deepStrictEqual(
      answers.map(({ type }) => type),
      ["auth_success", "signals", "signals", "stats", "pong", "signals", "signals"]
    )
    const [first, second] = answers.filter(({ type }) => type === "signals").map(({ signals }) => signals)
    assert.deepStrictEqual([(first as Array<unknown>).length, (second as Array<unknown>).length], [3, 1])
    const staying = new WebSocket(url)
    const left = new Promise<number>((settle) => staying.once("close", settle))
    await new Promise((settle) => staying.once("open", settle))
    child.kill("SIGTERM")
    assert.strictEqual(await exited, 0)
    assert.strictEqual(await left, 1001)
  })

  it("two servers with one script offer the same signals", async () => {
    const script = { perWave: 3, keepWaves: 1, periodMs: 86_400_000 }
    const said = await Promise.all(
      [0, 1].map(async () => {
        const { line } = start(script)
        const { url = "" } = await line("signals.listening")
        return await talk(url, [{ type: "auth", token: "any" }], 2)
      })
    )
    assert.deepStrictEqual(said[0], said[1])
  })

  it("refuses a wrong token with auth_failed and closes", async () => {
    const { line } = start({ token: "t" })
    const { url = "" } = await line("signals.listening")
    const answers = await talk(url, [{ type: "auth", token: "wrong" }], 9)
    assert.deepStrictEqual(answers, [{ type: "auth_failed", reason: "the token is wrong" }])
  })

  it("with a token set, tells nothing to who has not shown it", async () => {
    const { line } = start({ token: "t", perWave: 3 })
    const { url = "" } = await line("signals.listening")
    for (const type of ["get_signals", "get_stats"])
      assert.deepStrictEqual(await talk(url, [{ type }], 9), [
        { type: "auth_failed", reason: "not authenticated" }
      ])
  })

  it("performs all faults of one moment, in the order of their times and then of the script", async () => {
    const say = (n: number) => ({ type: "text", text: JSON.stringify({ n }) })
    const { line } = start({
      perWave: 0,
      faults: [
        { on: "live", afterMs: 200, do: { type: "close", code: 4_001, reason: "last" } },
        { on: "live", do: say(1) },
        { on: "live", connection: 2, do: say(9) },
        { on: "live", do: say(2) },
        { on: "live", afterMs: 100, do: say(3) },
        { on: "ping", nth: 1, do: say(4) },
        { on: "ping", do: say(5) }
      ]
    })
    const { url = "" } = await line("signals.listening")
    const answers = await talk(url, [{ type: "auth", token: "" }, { type: "ping" }, { type: "ping" }], 99)
    assert.deepStrictEqual(
      answers.map(({ n, type }) => n ?? type),
      ["auth_success", "signals", 1, 2, 4, 5, 5, 3]
    )
  })

  it("performs all faults of a handshake too", async () => {
    const part = (text: string) => ({ type: "raw", hex: Buffer.from(text).toString("hex") })
    const { line } = start({
      faults: [
        { on: "upgrade", do: part("HTTP/1.1 503 ") },
        { on: "upgrade", do: part("Busy\r\ncontent-length: 0\r\n\r\n") },
        { on: "upgrade", afterMs: 50, do: { type: "end" } }
      ]
    })
    const { url = "" } = await line("signals.listening")
    const error = await talk(url, [], 1).catch((reason: unknown) => String(reason))
    assert.include(String(error), "503")
    // Two that both let the handshake go on are one handshake.
    const slow = { on: "upgrade", do: { type: "slow", everyMs: 1 } }
    const second = start({ perWave: 0, faults: [slow, slow] })
    const { url: other = "" } = await second.line("signals.listening")
    const answers = await talk(other, [{ type: "auth", token: "" }], 2)
    assert.deepStrictEqual(
      answers.map(({ type }) => type),
      ["auth_success", "signals"]
    )
  })

  it("refuses a script that means nothing, with the path of the mistake and status 78", async () => {
    const { exited, line } = start({ faults: [{ on: "live", do: { type: "explode" } }] })
    assert.include((await line("fatal")).problems?.join() ?? "", "faults.0.do")
    assert.strictEqual(await exited, 78)
  })

  it("says with status 69 that its port is taken", async () => {
    const { line } = start({})
    const { port } = await line("signals.listening")
    const second = start({}, String(port))
    assert.include((await second.line("fatal")).problems?.join() ?? "", "EADDRINUSE")
    assert.strictEqual(await second.exited, 69)
    rmSync(directory, { recursive: true, force: true })
  })
})
