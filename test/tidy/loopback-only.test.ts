import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { afterAll, expect, test } from "vitest"

// Everything here runs in children, because a refusal in this process would fail this file, as it should.
const root = path.resolve(import.meta.dirname, "../..")
const guard = new URL("../support/loopback-guard.mjs", import.meta.url).href
const scratch = mkdtempSync(path.join(tmpdir(), "holdfast loopback "))

afterAll(() => rmSync(scratch, { recursive: true, force: true }))

/** Runs one statement under the guard, with a report of its own. */
const guarded = (statement: string) =>
  spawnSync(process.execPath, ["--input-type=module", "-e", statement], {
    encoding: "utf8",
    env: {
      PATH: process.env["PATH"],
      NODE_OPTIONS: `--import=${guard}`,
      LOOPBACK_ONLY_REPORT: path.join(scratch, "r")
    },
    timeout: 150_000
  })

test.each([
  ["a TCP connection", 'import net from "node:net"; net.connect(9, "192.0.2.1")', "192.0.2.1:9"],
  [
    "a TCP connection to a name",
    'import net from "node:net"; net.connect({ port: 9, host: "example.com" })',
    "example.com:9"
  ],
  ["a TLS connection", 'import tls from "node:tls"; tls.connect(443, "192.0.2.1")', "192.0.2.1:443"],
  ["an HTTP request", 'import http from "node:http"; http.get("http://192.0.2.1:9/")', "192.0.2.1:9"],
  ["a fetch", 'await fetch("http://192.0.2.1:8080/")', "192.0.2.1:8080"],
  ["a WebSocket", 'import W from "ws"; new W("ws://192.0.2.1:9/")', "192.0.2.1:9"],
  ["a look-up", 'import { lookup } from "node:dns"; lookup("example.com", () => {})', "example.com"],
  [
    "a look-up by promise",
    'import { lookup } from "node:dns/promises"; await lookup("example.com")',
    "example.com"
  ],
  [
    "a resolver",
    'import dns from "node:dns"; new dns.Resolver().resolve4("example.com", () => {})',
    "example.com"
  ],
  ["a datagram", 'import d from "node:dgram"; d.createSocket("udp4").send("x", 9, "192.0.2.1")', "192.0.2.1"],
  ["IPv6", 'import net from "node:net"; net.connect(9, "2001:db8::1")', "2001:db8::1"],
  ["any address", 'import net from "node:net"; net.connect(9, "0.0.0.0")', "0.0.0.0"]
])(
  "refuses [%s] that leaves the machine",
  (_, statement, target) => {
    const child = guarded(statement)
    expect(child.status).not.toBe(0)
    expect(child.stderr).toContain("LoopbackOnly: a test tried")
    expect(child.stderr).toContain(target)
  },
  240_000
)

test.each([
  ["127.0.0.1", '{ host: "127.0.0.1" }'],
  ["localhost", '{ host: "localhost" }'],
  ["no host", "{}"],
  ["a unix socket", "{ path }"]
])("lets a connection to [%s] pass", (_, target) => {
  const child = guarded(`
    import net from "node:net"
    const path = ${JSON.stringify(path.join(scratch, "s.sock"))}
    const server = net.createServer((socket) => socket.end("hello"))
    const target = ${target}
    await new Promise((resolve) => target.path ? server.listen(path, resolve) : server.listen(0, "localhost", resolve))
    const socket = net.connect({ ...target, ...(target.path ? {} : { port: server.address().port }) })
    socket.on("data", (data) => process.stdout.write(data)).on("close", () => server.close())
  `)
  expect(child.stderr).toBe("")
  expect(child.stdout).toBe("hello")
})

/** Runs one file of fixtures under vitest with the project's own set-up file. */
const fixture = (file: string) => {
  const folder = path.join(root, "test/fixtures/guards/network")
  const { TEST_COUNTS: _counts, NODE_OPTIONS: _options, ...inherited } = process.env
  return spawnSync(
    process.execPath,
    [
      path.join(root, "node_modules/vitest/vitest.mjs"),
      "run",
      "--configLoader=native",
      "--config",
      path.join(folder, "vitest.config.ts"),
      file
    ],
    { cwd: root, encoding: "utf8", env: { ...inherited, FIXTURE_CACHE: scratch }, timeout: 150_000 }
  )
}

test.each([
  ["a swallowed refusal", "network/swallows.test.ts", "192.0.2.1:8080"],
  ["a refusal in a child process", "network/starts-child.test.ts", "example.com"]
])(
  "fails a test file over [%s]",
  (_, file, target) => {
    const run = fixture(file)
    expect(run.status).toBe(1)
    expect(run.stdout + run.stderr).toContain("this file tried to leave the machine")
    expect(run.stdout + run.stderr).toContain(target)
  },
  240_000
)

test("leaves a test file alone that talks to itself", () => {
  const run = fixture("network/quiet.test.ts")
  expect(run.status, run.stdout + run.stderr).toBe(0)
}, 240_000)
