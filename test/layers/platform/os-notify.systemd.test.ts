import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { execFileSync, spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { OsNotify } from "../../../src/layers/platform/os-notify.port.ts"
import { ancestorsOf, osNotifyLayer, socketAddress } from "../../../src/layers/platform/os-notify.systemd.ts"

// Node cannot receive unix datagrams, so the far end is a few lines of Perl, which every Debian has.
const receiver = `
  use Socket; my ($name, $n) = @ARGV; $name =~ s/^@/\\0/; $| = 1;
  socket(my $s, AF_UNIX, SOCK_DGRAM, 0) or die; bind($s, pack_sockaddr_un($name)) or die "bind: $!";
  print "bound\\n"; for (1..$n) { recv($s, my $m, 4096, 0); print "$m\\n" }`

const hasPerl = (() => {
  try {
    execFileSync("perl", ["-e", "1"])
    return true
  } catch {
    return false
  }
})()

const receive = (
  name: string,
  count: number,
  whenBound: () => Promise<unknown>
): Promise<ReadonlyArray<string>> =>
  new Promise((resolve, reject) => {
    const child = spawn("perl", ["-e", receiver, name, String(count)])
    let text = ""
    child.stderr.on("data", (chunk: Buffer) => reject(new Error(chunk.toString())))
    child.stdout.on("data", (chunk: Buffer) => {
      const first = text === ""
      text += chunk.toString()
      if (first) whenBound().catch(reject)
    })
    child.on("exit", () => resolve(text.trim().split("\n").slice(1)))
  })

const send = (environment: Record<string, string>, text: string) =>
  Effect.runPromise(
    OsNotify.use((notify) => notify.send(text)).pipe(Effect.provide(osNotifyLayer(environment, 42)))
  )

describe("systemd notification", () => {
  const folder = mkdtempSync(join(tmpdir(), "notify-"))
  it.runIf(hasPerl).each([join(folder, "n.sock"), `@holdfast-test-${process.pid}`])(
    "arrives at the socket [%s]",
    async (name) => {
      const got = await receive(name, 2, async () => {
        assert.isTrue(await send({ NOTIFY_SOCKET: name }, "READY=1"))
        assert.isTrue(await send({ NOTIFY_SOCKET: name }, "WATCHDOG=1"))
      })
      assert.deepStrictEqual(got, ["READY=1", "WATCHDOG=1"])
      rmSync(folder, { recursive: true, force: true })
    }
  )
  it("is false and no error when nobody listens", async () => {
    assert.isFalse(await send({ NOTIFY_SOCKET: join(folder, "nobody.sock") }, "READY=1"))
  })
  it("does nothing without a service manager", async () => {
    assert.isFalse(await send({}, "READY=1"))
  })
  // This process is 42; 41 is npm's shell, 40 is npm.
  const behind = /NotifyAccess=all/
  it.each([
    ["this process", { WATCHDOG_PID: "42" }, 30_000, null],
    ["nobody", {}, 30_000, null],
    ["nobody, in an empty variable", { WATCHDOG_PID: "" }, 30_000, null],
    ["the shell of npm", { WATCHDOG_PID: "41" }, 30_000, behind],
    ["npm", { WATCHDOG_PID: "40" }, 30_000, behind],
    ["somebody else", { WATCHDOG_PID: "7" }, null, /neither this process nor one above it/],
    ["nobody, but npm is the main process", { SYSTEMD_EXEC_PID: "40" }, 30_000, behind],
    [
      "nobody, and this is the main process",
      { SYSTEMD_EXEC_PID: "42", npm_lifecycle_event: "start" },
      30_000,
      null
    ],
    ["nobody, and an older manager started npm", { npm_lifecycle_event: "start" }, 30_000, behind]
  ] as const)(
    "pings, and says what is missing, when the manager names %s",
    async (_who, names, everyMs, says) => {
      const environment = { NOTIFY_SOCKET: "/tmp/x", WATCHDOG_USEC: "30000000", ...names }
      const notify = await Effect.runPromise(
        OsNotify.useSync((service) => service).pipe(
          Effect.provide(osNotifyLayer(environment, 42, [41, 40, 1]))
        )
      )
      assert.strictEqual(notify.watchdogMs, everyMs)
      if (says === null) assert.isEmpty(notify.notices)
      else assert.match(notify.notices.join("\n"), says)
    }
  )
  it("finds the processes above this one", () => {
    assert.strictEqual(ancestorsOf(process.pid)[0], process.ppid)
    assert.include(ancestorsOf(process.pid), 1)
  })
  it("says that an address cannot be reached", async () => {
    const notify = await Effect.runPromise(
      OsNotify.useSync((service) => service).pipe(
        Effect.provide(osNotifyLayer({ NOTIFY_SOCKET: "vsock:2:1" }, 42))
      )
    )
    assert.isFalse(notify.enabled)
    assert.lengthOf(notify.notices, 1)
  })
  it("refuses addresses the kernel cannot take", () => {
    assert.isNull(socketAddress("relative"))
    assert.isNull(socketAddress("/"))
    assert.isNull(socketAddress(`/${"x".repeat(108)}`))
  })
})
