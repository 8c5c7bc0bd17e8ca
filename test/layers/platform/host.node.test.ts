import { afterEach, assert, describe, it, vi } from "vitest"
import { Effect, Option } from "effect"
import { stopLimits } from "../../../src/domain/kernel/limits.ts"
import { installHost } from "../../../src/layers/platform/host.node.ts"

const signals = ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2"] as const
const before = new Map(
  [...signals, "uncaughtException", "unhandledRejection"].map((name) => [
    name,
    process.listeners(name as "SIGTERM")
  ])
)
let nowMs = 1_000
const install = () => {
  vi.spyOn(performance, "now").mockImplementation(() => nowMs)
  return installHost()
}
afterEach(() => {
  vi.restoreAllMocks()
  for (const [name, kept] of before)
    for (const listener of process.listeners(name as "SIGTERM"))
      if (!kept.includes(listener)) process.off(name, listener)
})

/** What an effect has by now, null when it still waits. */
const now = async <A>(effect: Effect.Effect<A>): Promise<A | null> =>
  Option.getOrNull(await Effect.runPromise(Effect.timeoutOption(effect, 20)))

const send = (signal: (typeof signals)[number]): void => {
  process.emit(signal, signal)
}

describe("host on Node", () => {
  it("takes what a terminal and npm both tell for one request, and a later signal for impatience", async () => {
    const host = install()
    send("SIGINT")
    nowMs += 300
    send("SIGINT")
    send("SIGTERM")
    assert.deepStrictEqual(await now(host.stopRequested), { _tag: "Signal", signal: "SIGINT" })
    assert.isNull(await now(Effect.as(host.forceRequested, "now")))
    nowMs += stopLimits.sameRequestMs
    send("SIGINT")
    assert.strictEqual(await now(Effect.as(host.forceRequested, "now")), "now")
  })

  it("counts a signal after a fault as the first: nobody has asked before", async () => {
    const host = install()
    process.emit("uncaughtException", new Error("a bug"))
    nowMs += stopLimits.sameRequestMs * 2
    send("SIGTERM")
    assert.strictEqual((await now(host.stopRequested))?._tag, "Fault")
    assert.isNull(await now(Effect.as(host.forceRequested, "now")))
  })

  it("reads the settings again at SIGHUP while standard input is no terminal", async () => {
    const host = install()
    send("SIGHUP")
    assert.strictEqual(await now(Effect.as(host.nextReload, "look")), "look")
    assert.isNull(await now(host.stopRequested))
  })

  it.each(["SIGUSR1", "SIGUSR2"] as const)("tells %s and does nothing", async (signal) => {
    const host = install()
    send(signal)
    assert.strictEqual(await now(host.nextStray), signal)
    assert.isNull(await now(host.stopRequested))
  })
})
