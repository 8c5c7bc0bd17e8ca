import { afterEach, assert, describe, it, onTestFinished } from "vitest"
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import { waitUntil } from "../support/exchange.ts"
import { projectRoot } from "../support/program.ts"
import { Service } from "./service.ts"

const services: Array<Service> = []
const make = (...given: ConstructorParameters<typeof Service>): Service => {
  const service = new Service(...given)
  services.push(service)
  return service
}
afterEach(async () => {
  for (const service of services.splice(0)) await service.dispose()
}, 150_000)

const quiet = { npm_config_update_notifier: "false" }
const npmStart = ["npm", "start", "--silent"] as const
/** What a person at a terminal runs: `script` gives it one, and passes on what is typed. */
// With `exec`, because a plain sh that waits for a command ends with 130 of its own when Ctrl-C is typed.
const inTerminal = ["script", "-qefc", `exec ${npmStart.join(" ")}`, "/dev/null"] as const
const ctrlC = "\u0003"

const assertCleanStop = async (service: Service): Promise<void> => {
  const exit = await service.end()
  assert.strictEqual(exit.code, 0, service.tail())
  assert.lengthOf(service.events("stopping"), 1)
  assert.lengthOf(service.events("fatal"), 0, service.tail())
}

const isLong = process.env["TEST_SIZE"] === "long"

describe("T16 a stop that is told twice is one stop", () => {
  // The other one is what Ctrl-C is, below.
  it.each(isLong ? (["SIGTERM", "SIGINT"] as const) : (["SIGTERM"] as const))(
    "%s to the process group of npm: exit 0",
    async (signal) => {
      const service = make({ command: npmStart, ownGroup: true, env: quiet })
      await service.start({}, 60_000)
      service.signal(signal, "group")
      await assertCleanStop(service)
      assert.strictEqual(service.lastLine["event"], "stopped")
    },
    240_000
  )

  it("Ctrl-C at the terminal of npm: exit 0", async () => {
    const service = make({ command: inTerminal, typed: true, env: quiet })
    await service.start({}, 60_000)
    service.type(ctrlC)
    await assertCleanStop(service)
  }, 240_000)

  it("Ctrl-C while the service still loads: exit 0, and nothing is left", async () => {
    const service = make({ ownGroup: true, command: npmStart, env: quiet })
    for (const afterMs of isLong ? [600, 900, 1_300] : [900]) {
      service.spawn()
      await pause(afterMs)
      service.signal("SIGINT", "group")
      const exit = await service.end()
      // npm itself may still be loading: then it is npm that ended, and it says so as a shell would.
      assert.include([0, 130], exit.code ?? (exit.signal === "SIGINT" ? 130 : -1), service.tail())
      assert.lengthOf(service.events("fatal"), 0, service.tail())
    }
  }, 240_000)
})

describe("T16 signals that ask for nothing, and a terminal that closes", () => {
  it("SIGUSR1 and SIGUSR2: one line each, no debugger, and the service goes on", async () => {
    const service = make({ command: npmStart, env: quiet })
    await service.start({}, 60_000)
    const { pid } = service.lines.find((line) => line["event"] === "boot") ?? {}
    for (const signal of ["SIGUSR1", "SIGUSR2", "SIGUSR1"] as const) {
      const before = service.events("signal.ignored").length
      process.kill(Number(pid), signal)
      await waitUntil(`a line about ${signal}`, () =>
        service.events("signal.ignored").length > before ? true : undefined
      )
      assert.strictEqual(service.events("signal.ignored").at(-1)?.["signal"], signal)
    }
    assert.strictEqual((await service.get("/health/ready")).status, 200)
    assert.notInclude(service.stderr, "Debugger")
    assert.strictEqual((await service.stop()).code, 0)
  }, 240_000)

  // Its shower of signals takes a core for as long as the start lasts, so it is not in every run.
  it.each(isLong ? ["at any moment of the start"] : [])(
    "SIGUSR1 %s opens no debugger and kills nobody",
    async () => {
      // What npm runs, without npm: that is another program, with a debugger of its own.
      const service = make({ command: ["sh", "scripts/node.sh", ...startArguments()] })
      service.spawn()
      const sent = new AbortController()
      const shower = (async () => {
        while (!sent.signal.aborted) {
          if (/bin\/node\0/.test(commandLine(service.pid))) service.signal("SIGUSR1")
          await pause(1)
        }
      })()
      await service.ready(60_000)
      sent.abort()
      await shower
      assert.notInclude(service.stderr, "Debugger", service.tail())
      assert.isNotEmpty(service.events("signal.ignored"))
      assert.strictEqual((await service.stop()).code, 0)
    },
    240_000
  )

  it("SIGHUP reads the settings again, and when the terminal has closed it stops", async () => {
    const service = make({ command: inTerminal, typed: true, env: quiet })
    await service.start({}, 60_000)
    const { pid } = service.lines.find((line) => line["event"] === "boot") ?? {}
    // With the master's end gone the kernel hangs up on everybody in the terminal.
    await service.kill()
    await waitUntil("the service to end", () => (isAlive(Number(pid)) ? undefined : true))
    const other = make({ dataDir: service.dataDir })
    await other.start()
    other.signal("SIGHUP")
    await waitUntil("the look", () => (other.events("config.unchanged").length > 0 ? true : undefined))
    assert.strictEqual((await other.stop()).code, 0)
  }, 240_000)
})

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

const commandLine = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8")
  } catch {
    return ""
  }
}

/** The arguments that package.json gives to scripts/node.sh. */
const startArguments = (): ReadonlyArray<string> => {
  const { scripts } = JSON.parse(readFileSync(path.join(projectRoot, "package.json"), "utf8")) as {
    readonly scripts: { readonly start: string }
  }
  return scripts.start.split(" scripts/node.sh ")[1]?.split(" ") ?? []
}

/** A notify socket as a service manager has it; Node has no unix datagrams, every Debian has Perl. */
const receiver = `
  use Socket; $| = 1; socket(my $s, AF_UNIX, SOCK_DGRAM, 0) or die; bind($s, pack_sockaddr_un($ARGV[0])) or die;
  print "bound\n"; while (recv($s, my $m, 4096, 0) || 1) { print "$m\n" }`

class NotifySocket {
  readonly path: string
  text = ""
  readonly #folder: string
  readonly #child: ChildProcess
  constructor() {
    this.#folder = mkdtempSync(path.join(tmpdir(), "holdfast-notify-"))
    this.path = path.join(this.#folder, "notify.sock")
    this.#child = spawn("perl", ["-e", receiver, this.path], { stdio: ["ignore", "pipe", "ignore"] })
    this.#child.stdout?.on("data", (chunk: Buffer) => {
      this.text += chunk.toString()
    })
  }
  count(message: string): number {
    return this.text.split("\n").filter((line) => line === message).length
  }
  dispose(): void {
    this.#child.kill("SIGKILL")
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

describe("T16 a service manager behind npm", () => {
  // `exec` keeps the pid of the shell, as systemd's ExecStart would, so WATCHDOG_PID is npm's.
  it.each([
    ["npm", "WATCHDOG_PID=$$ exec npm start --silent"],
    ["a shell above npm", "WATCHDOG_PID=$$; export WATCHDOG_PID; npm start --silent; exit $?"]
  ])(
    "READY, pings and STOPPING arrive when WATCHDOG_PID names %s",
    async (_who, line) => {
      const socket = new NotifySocket()
      onTestFinished(() => socket.dispose())
      await waitUntil("the socket", () => (socket.text.startsWith("bound") ? true : undefined))
      const service = make({
        command: ["sh", "-c", line],
        ownGroup: true,
        env: { ...quiet, NOTIFY_SOCKET: socket.path, WATCHDOG_USEC: "400000" }
      })
      service.spawn()
      await service.ready(60_000)
      await waitUntil("READY", () => (socket.count("READY=1") === 1 ? true : undefined))
      await waitUntil("ten pings", () => (socket.count("WATCHDOG=1") >= 10 ? true : undefined))
      assert.match(String(service.events("os_notify.notice")[0]?.["msg"]), /NotifyAccess=all/)
      service.signal("SIGTERM", "group")
      await service.end()
      await waitUntil("STOPPING", () => (socket.count("STOPPING=1") > 0 ? true : undefined))
      assert.strictEqual(socket.count("STOPPING=1"), 1)
    },
    240_000
  )
})
