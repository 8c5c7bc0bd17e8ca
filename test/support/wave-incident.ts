/**
 * The outage of the wave bot, replayed with its real times on the virtual clock, and what the ledger shows afterwards.
 *
 * Connected at 22:52:58Z with 291 signals, closed with 1000, a check at 23:05Z for wave 22:45Z, then restarts across
 * midnight: the old bot traded nothing for three hours and could not report it.
 *
 * Promises: the same result in every zone, which is what its companion program shows by running in one.
 * Never: reads the real clock.
 */
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { ledgerLines, makeWaveWorld, startScheduler, storeSignals } from "./waves.ts"

const at = (iso: string): number => Date.parse(iso)

/** Lets time pass in steps, small ones towards the end, so that what is looked at there is seen as it happens. */
export const passUntil = (iso: string, stepMs = 500) =>
  Effect.gen(function* () {
    for (;;) {
      const nowMs = yield* TestClock.testClockWith((clock) => clock.currentTimeMillis)
      const leftMs = at(iso) - nowMs
      if (leftMs <= 0) return
      yield* TestClock.adjust(leftMs > 30_000 ? 5_000 : Math.min(stepMs, leftMs))
    }
  })

/** The replay; its result has no time of its own. */
export const replayIncident = Effect.gen(function* () {
  const world = makeWaveWorld()
  yield* TestClock.setTime(at("2025-10-21T22:52:58Z"))
  const first = yield* startScheduler(world)
  yield* TestClock.adjust(0)
  storeSignals(world, "2025-10-21T22:45:00Z", 291)
  first.wake.notify("feed:north")
  // The close with 1000 that nobody owned. Here it is a state of the feed, and the wave is looked for all the same.
  yield* passUntil("2025-10-21T22:53:10Z")
  world.feed.state = "BackingOff"
  yield* passUntil("2025-10-21T23:05:08Z")
  world.feed.state = "Live"
  yield* passUntil("2025-10-21T23:19:00Z", 5_000)
  const checked = ledgerLines(world)
  storeSignals(world, "2025-10-21T23:00:00Z", 5)
  yield* passUntil("2025-10-21T23:34:00Z", 1_000)
  // The server is away over the check of 23:35.
  world.feed.state = "BackingOff"
  yield* passUntil("2025-10-21T23:49:00Z", 1_000)
  world.feed.state = "Live"
  storeSignals(world, "2025-10-21T23:30:00Z", 3)
  yield* passUntil("2025-10-21T23:58:00Z", 1_000)
  yield* first.kill
  // Restart across midnight, two minutes late for the check of 00:05.
  yield* TestClock.setTime(at("2025-10-22T00:07:30Z"))
  storeSignals(world, "2025-10-21T23:45:00Z", 4)
  const second = yield* startScheduler(world)
  yield* TestClock.adjust(0)
  storeSignals(world, "2025-10-22T00:00:00Z", 6)
  yield* passUntil("2025-10-22T00:21:00Z", 1_000)
  yield* second.stop
  // Down over three checks, back within the time of the fourth.
  yield* TestClock.setTime(at("2025-10-22T01:22:00Z"))
  storeSignals(world, "2025-10-22T00:15:00Z", 2)
  storeSignals(world, "2025-10-22T01:00:00Z", 2)
  const third = yield* startScheduler(world, { nodeId: "node-b" })
  yield* passUntil("2025-10-22T01:30:00Z", 1_000)
  yield* third.stop
  const handedOver = new Map<string, number>()
  for (const { handedOver: times, waveMs } of world.signals.values()) {
    const key = `${new Date(waveMs).toISOString().slice(11, 16)} x${times}`
    handedOver.set(key, (handedOver.get(key) ?? 0) + 1)
  }
  return {
    checked,
    ledger: ledgerLines(world),
    handedOver: Object.fromEntries(handedOver),
    alerts: world.alerts.map(({ message }) => message)
  }
})
