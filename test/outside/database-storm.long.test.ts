/**
 * PostgreSQL restarted 20 times, then its backends killed twice a second for a minute, all of it under load. By hand and at night:
 * it takes minutes, and its figures depend on the machine.
 *
 * The rate is that of posts the database itself has taken: those of the spool are answered at their usual pace all the time, and
 * would prove nothing about a recovery. The load is one that two cores can trade while nothing is wrong: with more of it the wait
 * at the end is for a backlog that no fault has made. An operator resolves what needs one, since closes of a symbol wait for that.
 */
import { assert, it, onTestFinished } from "vitest"
import { setTimeout as pause } from "node:timers/promises"
import { keepLog } from "./chaos.ts"
import { judgeChaos } from "./chaos-judge.ts"
import { chaosBody, closes } from "./chaos-load.ts"
import { ChaosOperator, settle } from "./chaos-operator.ts"
import { backends } from "./chaos-strike.ts"
import { ChaosStage } from "./chaos-stage.ts"
import { HealthWatch } from "./health-watch.ts"
import { Load } from "./producer.ts"
import { type Random, randomFrom } from "./random.ts"
import { signalAll } from "../support/signals.ts"

const RESTARTS = 20
const KILLING_MS = 60_000
const KILL_EVERY_MS = 500
const BASELINE_MS = 12_000
/** The rate is that of windows of this length. */
const WINDOW_MS = 3_000
/** What the rate must be back to, and by when. It is waited for longer, so that a failure says how much longer it took. */
const SHARE = 0.95
const BACK_MS_MAX = 5_000
const WAIT_MS_MAX = 30_000

/**
 * Fewer closes than in a chaos run: each asks the venue what is held before it leaves or is withdrawn, none expires, and those of
 * two minutes without a database all wait at the end of it.
 */
const stormBody = (random: Random, count: number): ReturnType<typeof chaosBody> => {
  const made = chaosBody(random, count)
  return closes(made) && random.next() < 2 / 3 ? chaosBody(random, count) : made
}

const isTaken = (status: number): boolean => status >= 200 && status < 300
/** Taken by the database; 202 is the spool. */
const isStored = (status: number): boolean => isTaken(status) && status !== 202

/** Posts that were answered so between two instants, per second. */
const rateOf = (load: Load, is: (status: number) => boolean, from: number, until: number): number => {
  const answered = load.deliveries.flatMap(({ tries }) =>
    tries.filter(({ status, until: at }) => is(status) && at >= from && at < until)
  )
  return (answered.length * 1_000) / (until - from)
}

interface Back {
  /** From the end of the faults to the begin of the first window with the wanted rate, or of the last one that was looked at. */
  readonly ms: number
  /** What was reached at best, as a share of the rate before. */
  readonly best: number
}

const backAfter = async (load: Load, baseline: number): Promise<Back> => {
  const from = performance.now()
  let best = 0
  for (;;) {
    await pause(100)
    const now = performance.now()
    const begin = now - WINDOW_MS
    if (begin < from) continue
    best = Math.max(best, rateOf(load, isStored, begin, now) / baseline)
    if (best >= SHARE || begin - from > WAIT_MS_MAX) return { ms: Math.round(begin - from), best }
  }
}

/** Restarts the server again and again; every third time it crashes. */
const restartAll = async (stage: ChaosStage): Promise<void> => {
  for (let restart = 0; restart < RESTARTS; restart += 1) {
    await stage.endDatabase(restart % 3 === 2 ? "SIGKILL" : "SIGINT")
    await pause(1_000)
  }
}

/** Ends all connections again and again; returns how many. */
const killAll = async (stage: ChaosStage): Promise<number> => {
  const until = performance.now() + KILLING_MS
  let killed = 0
  while (performance.now() < until) {
    const found = await backends(stage)
    signalAll(found, "SIGTERM")
    killed += found.length
    await pause(KILL_EVERY_MS)
  }
  return killed
}

const settled = (stage: ChaosStage, load: Load, operator: ChaosOperator): Promise<void> =>
  settle(stage, load, operator).catch((error: unknown) => {
    throw new Error(`${String(error)}; the logs are in ${keepLog(stage)}`, { cause: error })
  })

/** What was lost, doubled or refused; prints what there was. */
const violationsOf = async (
  stage: ChaosStage,
  load: Load,
  operator: ChaosOperator
): Promise<ReadonlyArray<string>> => {
  const { counts, violations } = await judgeChaos(stage, load.deliveries, operator.needed)
  const lines = [...counts, ["resolved by an operator", operator.resolved] as const]
  console.log(lines.map(([what, n]) => `${n} ${what}`).join("\n"))
  return [
    ...violations,
    ...load.strange.map((text) => `a sender was answered ${text}`),
    ...stage.ended,
    ...stage.broken.map((text) => `a fault could not be carried out: ${text}`)
  ]
}

it(`T7 ${RESTARTS} restarts of PostgreSQL and a minute of killed backends under load: the rate is back, nothing is lost`, async () => {
  const stage = await ChaosStage.open({ number: 0, seed: 5, ground: "pair", rule: "U", faults: [] })
  const load = new Load(stage.services, randomFrom(5), {
    producers: 4,
    pauseMs: [380, 420],
    compose: stormBody,
    deadlineMs: 2_500
  })
  const operator = new ChaosOperator(stage)
  const watches = stage.services.map((service) => new HealthWatch(service, 200))
  const stopAll = () => Promise.all(watches.map((watch) => watch.stop()))
  onTestFinished(async () => {
    await load.stop(0)
    await operator.stop()
    await stopAll()
    await stage.dispose()
  }, 60_000)
  load.start()
  operator.start()
  for (const watch of watches) watch.start()
  await pause(BASELINE_MS)
  const began = performance.now()
  const baseline = rateOf(load, isStored, began - BASELINE_MS + 2_000, began)

  const report = (what: string, from: number, until: number, { best, ms }: Back): void => {
    const during = rateOf(load, isTaken, from, until)
    const words =
      best >= SHARE ? `back to ${best.toFixed(2)} of it after ${ms} ms` : `at best ${best.toFixed(2)} of it`
    console.log(
      `${what}: ${baseline.toFixed(1)} posts/s stored before, ${during.toFixed(1)} taken meanwhile, ${words}`
    )
  }
  await restartAll(stage)
  const restartsOver = performance.now()
  const restarted = await backAfter(load, baseline)
  report(`${RESTARTS} restarts`, began, restartsOver, restarted)
  await stage.trading()

  const killingBegan = performance.now()
  const killed = await killAll(stage)
  const killingOver = performance.now()
  const terminated = await backAfter(load, baseline)
  report(`${killed} backends killed`, killingBegan, killingOver, terminated)
  await stage.trading()
  // Before the feed ends: a feed that stays away is restarted on purpose.
  const restarts = await Promise.all(stage.services.map((service) => service.restarts()))

  await settled(stage, load, operator)
  await stopAll()
  const found = [
    ...(await violationsOf(stage, load, operator)),
    // Of each answer by itself: what is true between two kills is not what a post meets half a second later.
    ...watches.flatMap((watch) => watch.lies([])).map((text) => `health: ${text.slice(0, 500)}`),
    ...restarts.flatMap((one) => Object.entries(one).map(([name, n]) => `${name} was restarted ${n} times`))
  ]
  assert.deepStrictEqual(found.length === 0 ? found : [...found, `the logs are in ${keepLog(stage)}`], [])
  for (const { best, ms } of [restarted, terminated]) {
    assert.isAtLeast(best, SHARE)
    assert.isAtMost(ms, BACK_MS_MAX)
  }
}, 900_000)
