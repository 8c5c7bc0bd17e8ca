/**
 * PostgreSQL restarted 20 times, then its backends killed twice a second for a minute, all of it under load. By hand and at night:
 * it takes minutes, and its figures depend on the machine.
 */
import { assert, it, onTestFinished } from "vitest"
import { setTimeout as pause } from "node:timers/promises"
import { rest } from "./audit.ts"
import { judgeChaos } from "./chaos-judge.ts"
import { chaosBody } from "./chaos-load.ts"
import { backends } from "./chaos-strike.ts"
import { ChaosStage } from "./chaos-stage.ts"
import { HealthWatch } from "./health-watch.ts"
import { Load } from "./producer.ts"
import { randomFrom } from "./random.ts"
import { signalAll } from "../support/signals.ts"

const RESTARTS = 20
const KILLING_MS = 60_000
const KILL_EVERY_MS = 500
const BASELINE_MS = 10_000
/** The rate is that of windows of this length. */
const WINDOW_MS = 2_000
/** What the rate must be back to, and by when it should be. The bound that is asserted is generous: machines differ. */
const SHARE = 0.95
const BACK_MS_WANTED = 5_000
const BACK_MS_MAX = 30_000

/** Posts that were taken between two instants, per second. */
const rateOf = (load: Load, from: number, until: number): number => {
  const taken = load.deliveries.flatMap(({ tries }) =>
    tries.filter(({ status, until: at }) => status >= 200 && status < 300 && at >= from && at < until)
  )
  return (taken.length * 1_000) / (until - from)
}

/** After how many milliseconds the rate was back; what was reached at best where it was not. */
const backAfter = async (
  load: Load,
  baseline: number
): Promise<{ readonly ms: number; readonly best: number }> => {
  const from = performance.now()
  let best = 0
  for (;;) {
    await pause(100)
    const now = performance.now()
    const begin = now - WINDOW_MS
    if (begin < from) continue
    const share = rateOf(load, begin, now) / baseline
    best = Math.max(best, share)
    if (share >= SHARE || begin - from > BACK_MS_MAX) return { ms: Math.round(begin - from), best }
  }
}

it(`T7 ${RESTARTS} restarts of PostgreSQL and a minute of killed backends under load: the rate is back, nothing is lost`, async () => {
  const stage = await ChaosStage.open({ number: 0, seed: 5, ground: "pair", rule: "U", faults: [] })
  const load = new Load(stage.services, randomFrom(5), {
    producers: 6,
    pauseMs: [150, 250],
    compose: chaosBody,
    deadlineMs: 2_500
  })
  const watches = stage.services.map((service) => new HealthWatch(service, 200))
  onTestFinished(async () => {
    await load.stop(0)
    await Promise.all(watches.map((watch) => watch.stop()))
    await stage.dispose()
  }, 60_000)
  load.start()
  for (const watch of watches) watch.start()
  await pause(BASELINE_MS)
  const baseline = rateOf(load, performance.now() - BASELINE_MS + 2_000, performance.now())

  for (let restart = 0; restart < RESTARTS; restart += 1) {
    await stage.endDatabase(restart % 3 === 2 ? "SIGKILL" : "SIGINT")
    await pause(1_000)
  }
  const restarted = await backAfter(load, baseline)
  await stage.trading()

  const until = performance.now() + KILLING_MS
  let killed = 0
  while (performance.now() < until) {
    const found = await backends(stage)
    signalAll(found, "SIGTERM")
    killed += found.length
    await pause(KILL_EVERY_MS)
  }
  const terminated = await backAfter(load, baseline)
  await stage.trading()
  for (const service of stage.services)
    assert.deepStrictEqual(await service.restarts(), {}, "an outage restarts nobody")

  await stage.feed.kill()
  await load.stop(60_000)
  await rest(stage.world.service, 120_000)
  const { counts, violations } = await judgeChaos(stage, load.deliveries)
  await Promise.all(watches.map((watch) => watch.stop()))
  for (const [what, { best, ms }] of Object.entries({ restarted, terminated })) {
    const words =
      best >= SHARE ? `back to ${SHARE} of it after ${ms} ms` : `back to ${best.toFixed(2)} of it only`
    console.log(
      `${what}: ${baseline.toFixed(1)} posts/s before, ${words} (wanted within ${BACK_MS_WANTED} ms); ${killed} backends killed`
    )
  }
  console.log([...counts].map(([what, count]) => `${count} ${what}`).join("\n"))
  assert.deepStrictEqual(violations, [])
  assert.deepStrictEqual(stage.broken, [])
  assert.isAtLeast(Math.min(restarted.best, terminated.best), SHARE)
}, 600_000)
