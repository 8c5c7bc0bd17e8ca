import { execFile } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { tmpdir } from "node:os"
import path from "node:path"
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest"

// The command against a server that answers as the API does: what is shown here is the terminal's side.
const root = path.resolve(import.meta.dirname, "../..")
const component = (fields: Readonly<Record<string, unknown>>) => ({
  path: "root",
  type: "supervisor",
  machine: null,
  phase: "running",
  state: "running",
  ready: true,
  readiness: "required",
  since: "2026-11-30T10:00:00.000Z",
  incarnation: 1,
  restarts: 0,
  budget: { used: 0, max: 5, within_ms: 60_000 },
  mailbox: null,
  next_at: null,
  last_error: null,
  detail: {},
  ...fields
})
const items = [
  component({}),
  component({ path: "root/http", type: "worker", machine: "http", state: "Listening" }),
  component({
    path: "root/database",
    type: "worker",
    machine: "database",
    phase: "backingOff",
    state: "Waiting",
    ready: false,
    restarts: 2,
    mailbox: { depth: 3, capacity: 10, dropped: 0 },
    last_error: "it is away"
  })
]
let seen: string | undefined
const server = createServer((request, response) => {
  seen = request.headers.authorization
  response.setHeader("content-type", "application/json")
  if (request.url === "/api/v1/actors") response.end(JSON.stringify({ items, next_cursor: null }))
  else response.writeHead(404).end("{}")
})
let url = ""
beforeAll(
  () =>
    new Promise<void>((resolve) =>
      server.listen(0, "127.0.0.1", () => {
        const at = server.address()
        url = `http://127.0.0.1:${typeof at === "object" && at !== null ? at.port : 0}`
        resolve()
      })
    )
)
afterAll(() => void server.close())

const withToken = { ADMIN_TOKEN: "a-token-of-the-test-0123456789" }
const treeIn = (settings: Readonly<Record<string, string>>, ...given: ReadonlyArray<string>) =>
  new Promise<{ readonly status: number; readonly stdout: string; readonly stderr: string }>((resolve) => {
    const env = { ...process.env, HOLDFAST_CONFIG: "", ...settings }
    execFile(process.execPath, ["scripts/tree.ts", ...given], { cwd: root, env }, (error, stdout, stderr) =>
      resolve({ status: error === null ? 0 : Number(error.code), stdout, stderr })
    )
  })

const tree = (...given: ReadonlyArray<string>) => treeIn(withToken, ...given)

test("a tree is a line for each component, below its supervisor, with what is wrong", async () => {
  const { status, stdout } = await tree("--url", url)
  expect(status).toBe(0)
  expect(stdout).toBe(
    [
      "+ root  running, since 2026-11-30T10:00:00.000Z",
      "  + http  Listening, since 2026-11-30T10:00:00.000Z",
      "  - database  backingOff Waiting, since 2026-11-30T10:00:00.000Z, 2 restarts, 3 waiting, last error: it is away",
      ""
    ].join("\n")
  )
  expect(seen).toBe("Bearer a-token-of-the-test-0123456789")
})

test("as json it is what the API returns, as dot what Graphviz draws", async () => {
  const [json, dot] = await Promise.all([
    tree("--url", url, "--format", "json"),
    tree("--url", url, "--format", "dot")
  ])
  expect(JSON.parse(json.stdout)).toEqual(items)
  expect(dot.stdout).toContain('"root" -> "root/database";')
  expect(dot.stdout).toContain('"root/database" [label="database\\nWaiting", style=dashed];')
})

test("a service that cannot be asked is 69, a wrong argument 78", async () => {
  const [away, wrong] = await Promise.all([tree("--url", "http://127.0.0.1:9"), tree("--format", "xml")])
  expect([away.status, away.stderr.trim().split("\n").length]).toEqual([69, 1])
  expect(wrong.status).toBe(78)
  expect(wrong.stderr).toContain("--format must be one of text, json, dot")
})

test("--help is the usage, and no mistake", async () => {
  const help = await tree("--help")
  expect([help.status, help.stderr]).toEqual([0, ""])
  expect(help.stdout).toContain("usage: npm run tree -- [--url U]")
})

test("the token of this installation goes to its own origin, and to no other", async () => {
  const dataDir = mkdtempSync(path.join(tmpdir(), "holdfast-tree-"))
  onTestFinished(() => rmSync(dataDir, { recursive: true, force: true }))
  writeFileSync(path.join(dataDir, "admin-token"), "the-token-of-this-installation-01234\n")
  const { port } = new URL(url)
  const own = { DATA_DIR: dataDir, PORT: port, ADMIN_TOKEN: "" }
  expect((await treeIn(own)).status).toBe(0)
  expect(seen).toBe("Bearer the-token-of-this-installation-01234")
  expect((await treeIn(own, "--url", url)).status).toBe(0)
  expect(seen).toBe("Bearer the-token-of-this-installation-01234")
  // The same server under another name is another origin.
  expect((await treeIn({ ...own, PORT: "5003" }, "--url", url)).status).toBe(0)
  expect(seen).toBeUndefined()
  expect((await treeIn({ ...own, ...withToken, PORT: "5003" }, "--url", url)).status).toBe(0)
  expect(seen).toBe(`Bearer ${withToken.ADMIN_TOKEN}`)
  expect(await treeIn(own, "--url", "nowhere")).toMatchObject({ status: 78, stdout: "" })
})
