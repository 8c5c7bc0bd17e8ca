/** The server for assistants, asked over its own stdin and stdout about a service that runs, and about one that has ended. */
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { type ChildProcess, spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { waitUntil } from "../support/exchange.ts"
import { projectRoot } from "../support/program.ts"
import { alertBody, Service } from "./service.ts"

interface Answer {
  readonly id: string | number | null
  readonly result?: any // oxlint-disable-line typescript/no-explicit-any -- a judge reads answers field by field
  readonly error?: { readonly code: number; readonly message: string }
}

/** A client: sends lines, and finds the answer to each by its id. */
class Client {
  readonly answers: Array<Answer> = []
  readonly #child: ChildProcess
  readonly ended: Promise<number | null>
  #ids = 0
  constructor(url: string) {
    this.#child = spawn("npm", ["run", "--silent", "mcp", "--", "--url", url], {
      cwd: projectRoot,
      stdio: ["pipe", "pipe", "inherit"],
      env: { ...process.env, npm_config_update_notifier: "false" }
    })
    const lines = createInterface({ input: this.#child.stdout ?? assert.fail("it has a stdout") })
    // Anything that is no message would break a client, so it breaks the test.
    lines.on("line", (line) => this.answers.push(...[JSON.parse(line) as Answer | Array<Answer>].flat()))
    this.ended = new Promise((settle) => this.#child.once("close", settle))
  }
  write(text: string): void {
    this.#child.stdin?.write(`${text}\n`)
  }
  async ask(method: string, params?: object, deadlineMs = 60_000): Promise<Answer> {
    this.#ids += 1
    const id = this.#ids
    this.write(JSON.stringify({ jsonrpc: "2.0", id, method, ...(params === undefined ? {} : { params }) }))
    return waitUntil(
      `an answer to ${method}`,
      () => this.answers.find((answer) => answer.id === id),
      deadlineMs
    )
  }
  async call(
    name: string,
    given: object = {}
  ): Promise<{ readonly text: string; readonly isError: boolean }> {
    const { error, result } = await this.ask("tools/call", { name, arguments: given })
    assert.isUndefined(error)
    assert.lengthOf(result.content, 1)
    assert.strictEqual(result.content[0].type, "text")
    return { text: result.content[0].text, isError: result.isError }
  }
  leave(): void {
    this.#child.stdin?.end()
  }
}

const service = new Service()
let client: Client
let signalId = ""
beforeAll(async () => {
  await service.start()
  signalId = String((await service.post("/webhook", alertBody())).body.signal_id)
  await service.settled(signalId)
  client = new Client(service.url)
  // npm and Node have to start first.
  await client.ask("ping", undefined, 60_000)
}, 300_000)
afterAll(async () => {
  client.leave()
  await client.ended
  await service.dispose()
}, 150_000)

describe("the server for assistants", () => {
  it("begins with the version that the client asks for, and with its newest for one that it does not know", async () => {
    const { result } = await client.ask("initialize", {
      protocolVersion: "2025-03-26",
      capabilities: {},
      clientInfo: { name: "judge", version: "1" }
    })
    assert.deepInclude(result, { protocolVersion: "2025-03-26", capabilities: { tools: {} } })
    assert.strictEqual(result.serverInfo.name, "holdfast")
    client.write('{"jsonrpc":"2.0","method":"notifications/initialized"}')
    const other = await client.ask("initialize", { protocolVersion: "1999-01-01", capabilities: {} })
    assert.strictEqual(other.result.protocolVersion, "2025-06-18")
    assert.deepStrictEqual((await client.ask("ping")).result, {})
  })

  it("has tools that only read, each with a schema of its arguments", async () => {
    const { result } = await client.ask("tools/list")
    const tools = result.tools as ReadonlyArray<Record<string, any>> // oxlint-disable-line typescript/no-explicit-any -- as above
    assert.deepStrictEqual(
      tools.map((tool) => tool["name"]),
      ["health", "tree", "component", "signals", "why", "events"]
    )
    for (const tool of tools) {
      assert.strictEqual(tool["inputSchema"].type, "object")
      assert.isTrue(tool["annotations"].readOnlyHint)
      assert.isAbove(tool["description"].length, 20)
    }
    assert.deepStrictEqual(tools.find((tool) => tool["name"] === "why")?.["inputSchema"].required, [
      "signal_id"
    ])
  })

  it("answers what the service answers", async () => {
    assert.strictEqual(JSON.parse((await client.call("health")).text).mode, "PRACTICE")
    assert.match((await client.call("tree")).text, /^\+ root .*\n {2}\+ http {2}Listening/)
    const component = JSON.parse((await client.call("component", { path: "root/trading/market" })).text)
    assert.strictEqual(component.path, "root/trading/market")
    assert.isArray(component.pending_timers)
    const signals = JSON.parse((await client.call("signals", { status: "done", limit: 1 })).text)
    assert.deepStrictEqual(
      signals.items.map(({ id }: { id: string }) => id),
      [signalId]
    )
    const why = await service.get(`/api/v1/signals/${signalId}/why`)
    assert.deepStrictEqual(await client.call("why", { signal_id: signalId }), {
      text: why.text,
      isError: false
    })
    const events = JSON.parse((await client.call("events", { type: "order", limit: 5 })).text)
    assert.isAbove(events.items.length, 0)
  })

  it("says what the service refuses, as an answer of the tool", async () => {
    const { isError, text } = await client.call("component", { path: "root/nobody" })
    assert.isTrue(isError)
    assert.match(text, / answered 404: /)
  })

  it("refuses what is no call, and goes on", async () => {
    const codes = async (...asked: Parameters<Client["ask"]>) => (await client.ask(...asked)).error?.code
    assert.strictEqual(await codes("tools/call", { name: "order.cancel", arguments: {} }), -32_602)
    assert.strictEqual(
      await codes("tools/call", { name: "why", arguments: { signal_id: "../health" } }),
      -32_602
    )
    assert.strictEqual(await codes("tools/call", { name: "signals", arguments: { account: "x" } }), -32_602)
    assert.strictEqual(await codes("resources/list"), -32_601)
    const before = client.answers.length
    for (const line of ["{", '{"id":1}', ""]) client.write(line)
    await waitUntil("two errors", () => (client.answers.length >= before + 2 ? true : undefined))
    assert.sameMembers(
      client.answers.slice(before).map(({ error }) => error?.code ?? 0),
      [-32_700, -32_600]
    )
    client.write('[{"jsonrpc":"2.0","id":"a","method":"ping"},{"jsonrpc":"2.0","method":"notifications/x"}]')
    await waitUntil("the answer of a batch", () => client.answers.find(({ id }) => id === "a"))
  })

  it("outlives the service, and ends with its client", async () => {
    await service.stop()
    const { isError, text } = await client.call("health")
    assert.isTrue(isError)
    assert.match(text, / could not be asked: /)
    client.leave()
    assert.strictEqual(await client.ended, 0)
  }, 120_000)
})
