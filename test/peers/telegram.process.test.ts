import { afterEach, assert, it } from "vitest"
import { waitUntil } from "../support/exchange.ts"
import { Program, projectRoot } from "../support/program.ts"

const running: Array<Program> = []
afterEach(async () => {
  for (const program of running.splice(0)) await program.dispose()
})

class StandIn extends Program {
  start(options: ReadonlyArray<string>): void {
    const args = ["peers/telegram/main.ts", ...options]
    this.launch({ file: process.execPath, args, cwd: projectRoot, env: {} }, () => undefined)
  }
}

const launch = (...options: ReadonlyArray<string>): Program => {
  const program = new StandIn()
  running.push(program)
  program.start(options)
  return program
}

it("names its address, answers the Bot API, and ends with 0 when it is asked to", async () => {
  const program = launch("--port", "0", "--token", `42:${"t".repeat(35)}`)
  const line = await waitUntil("its address", () => program.events("telegram.listening")[0], 30_000)
  const answer = await fetch(`${String(line["url"])}/bot42:${"t".repeat(35)}/getMe`)
  assert.deepStrictEqual(await answer.json(), {
    ok: true,
    result: {
      id: 42,
      is_bot: true,
      first_name: "holdfast",
      username: "holdfast_stand_in_bot",
      can_join_groups: true,
      can_read_all_group_messages: false,
      supports_inline_queries: false
    }
  })
  process.kill(program.pid, "SIGTERM")
  assert.strictEqual((await program.exited).code, 0)
  assert.notInclude(JSON.stringify(program.lines), "ttttt")
})

it.each([
  ["--token", "short"],
  ["--what", "ever"]
])("a wrong option [%s %s] is exit 78", async (...options) => {
  const program = launch(...options)
  assert.strictEqual((await program.exited).code, 78)
})
