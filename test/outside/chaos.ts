/**
 * A chaos run: faults from a seeded plan against real processes under load, and a judge (`npm run chaos`).
 *
 * Promises: every leg is judged; the report states what struck, what was traded, how long recovery took, and every violation with
 * the command that repeats its leg.
 * Never: stops at the first violation; counts a fault that could not be carried out as survived.
 */
import { writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import { judgeChaos } from "./chaos-judge.ts"
import { chaosBody } from "./chaos-load.ts"
import { ChaosOperator, settle } from "./chaos-operator.ts"
import { type Leg, planOf } from "./chaos-plan.ts"
import { ChaosStage } from "./chaos-stage.ts"
import { type Strike, strike } from "./chaos-strike.ts"
import { HealthWatch } from "./health-watch.ts"
import { type Delivery, Load } from "./producer.ts"
import { type Random, randomFrom } from "./random.ts"

/**
 * Milliseconds from the end of an imposed outage: `post` until one was taken that was sent after the fault struck, `trade` until the
 * venue filled an order of such a post, the whole way. Null: there was none before the end of the leg.
 */
interface Recovery {
  readonly strike: Strike
  readonly post: number | null
  readonly trade: number | null
}

export interface LegReport {
  readonly leg: Leg
  readonly violations: ReadonlyArray<string>
  readonly counts: ReadonlyMap<string, number>
  readonly recoveries: ReadonlyArray<Recovery>
  readonly seconds: number
}

/** The log of every process of a leg, for whoever looks into a violation. */
export const keepLog = (stage: ChaosStage): string => {
  const file = path.join(tmpdir(), `holdfast-chaos-${stage.leg.seed}.log`)
  const programs = { ...Object.fromEntries(stage.services.map((one, at) => [`service-${at}`, one])) }
  const lines = Object.entries({ ...programs, broker: stage.world.broker }).flatMap(([name, program]) =>
    program.lines.map((line) => JSON.stringify({ of: name, ...line }))
  )
  writeFileSync(file, lines.join("\n"))
  return file
}

/** A trade in the venue's book with the post that led to it, times from `performance.now()`. */
interface Traded {
  readonly postedAt: number
  readonly filledAt: number
}

/** The venue's clock is never turned, so its instants are the machine's. */
const tradesOf = async (
  { world }: ChaosStage,
  deliveries: ReadonlyArray<Delivery>
): Promise<ReadonlyArray<Traded>> => {
  const posted = new Map(deliveries.map(({ signalId, tries }) => [signalId, tries[0]?.at]))
  const signalOf = new Map(
    (await world.service.list("orders")).map((order) => [order["client_order_id"], order["signal_id"]])
  )
  return (await world.broker.fills()).flatMap(({ at, client_order_id }) => {
    const postedAt = posted.get(signalOf.get(client_order_id) ?? null)
    const filledAt = Date.parse(at) - performance.timeOrigin
    return postedAt === undefined ? [] : [{ postedAt, filledAt }]
  })
}

const recoveryOf = (
  one: Strike,
  deliveries: ReadonlyArray<Delivery>,
  trades: ReadonlyArray<Traded>
): Recovery => {
  // What was on its way when the fault struck proves nothing.
  const taken = deliveries.flatMap(({ tries }) =>
    tries.flatMap(({ at, status, until }) => (at > one.at && status >= 200 && status < 300 ? [until] : []))
  )
  const traded = trades.flatMap(({ filledAt, postedAt }) => (postedAt > one.at ? [filledAt] : []))
  const since = (times: ReadonlyArray<number>): number | null =>
    times.length === 0 ? null : Math.max(0, times.reduce((first, time) => Math.min(first, time)) - one.over)
  return { strike: one, post: since(taken), trade: since(traded) }
}

const disturb = async (stage: ChaosStage): Promise<ReadonlyArray<Strike>> => {
  const strikes: Array<Promise<Strike>> = []
  for (const fault of stage.leg.faults) {
    if (fault.settled) await stage.trading()
    await pause(fault.pauseMs)
    strikes.push(strike(stage, fault))
  }
  const done = await Promise.all(strikes)
  await stage.quiet()
  await stage.world.broker.clearFaults()
  return done
}

/** Health of each service against what was posted to that one. */
const lies = (watches: ReadonlyMap<ChaosStage["services"][number], HealthWatch>, load: Load) =>
  [...watches].flatMap(([service, watch]) =>
    watch.lies(load.deliveries.flatMap(({ tries }) => tries.filter(({ to }) => to === service)))
  )

export const playLeg = async (leg: Leg): Promise<LegReport> => {
  const from = performance.now()
  const stage = await ChaosStage.open(leg)
  const random: Random = randomFrom(leg.seed + 1)
  const load = new Load(stage.services, random, {
    producers: 3,
    pauseMs: [120, 450],
    compose: chaosBody,
    deadlineMs: 2_500
  })
  const watches = new Map(stage.services.map((service) => [service, new HealthWatch(service, 100)]))
  const operator = new ChaosOperator(stage)
  try {
    load.start()
    operator.start()
    for (const watch of watches.values()) watch.start()
    const strikes = await disturb(stage)
    await settle(stage, load, operator)
    const { counts, violations } = await judgeChaos(stage, load.deliveries, operator.needed)
    const trades = await tradesOf(stage, load.deliveries)
    await Promise.all([...watches.values()].map((watch) => watch.stop()))
    const samples = [...watches.values()].reduce((sum, watch) => sum + watch.samples.length, 0)
    const found = [
      ...violations,
      ...load.strange.map((text) => `a sender was answered ${text}`),
      ...lies(watches, load).map((text) => `health: ${text}`),
      ...stage.ended,
      ...stage.broken.map((text) => `a fault could not be carried out: ${text}`),
      ...stage.services.flatMap((one) =>
        one.events("not-json").map((line) => `not a log line: ${JSON.stringify(line).slice(0, 300)}`)
      )
    ]
    return {
      leg,
      violations: found.length === 0 ? found : [...found, `the logs are in ${keepLog(stage)}`],
      counts: new Map([
        ...counts,
        ["posts", load.deliveries.reduce((sum, { tries }) => sum + tries.length, 0)],
        ["answers of /health", samples],
        ["resolved by an operator", operator.resolved]
      ]),
      recoveries: strikes.map((one) => recoveryOf(one, load.deliveries, trades)),
      seconds: (performance.now() - from) / 1_000
    }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    const where = `leg ${leg.number} (${leg.ground}, rule ${leg.rule}; its logs: ${keepLog(stage)})`
    throw new Error(`${where}: ${message}`, { cause: error })
  } finally {
    await load.stop(0)
    await operator.stop()
    await Promise.all([...watches.values()].map((watch) => watch.stop()))
    await stage.dispose()
  }
}

const quantile = (sorted: ReadonlyArray<number>, share: number): string =>
  sorted.length === 0 ? "-" : `${(sorted[Math.floor(share * (sorted.length - 1))]! / 1_000).toFixed(1)} s`

const figuresOf = (times: ReadonlyArray<number | null>): string => {
  const known = times.flatMap((ms) => (ms === null ? [] : [ms])).toSorted((a, b) => a - b)
  return `p50 ${quantile(known, 0.5)}, p99 ${quantile(known, 0.99)}, max ${quantile(known, 1)}`
}

const recoveryLine = (name: string, recoveries: ReadonlyArray<Recovery>): string => {
  const post = figuresOf(recoveries.map(({ post }) => post))
  const trade = figuresOf(recoveries.map(({ trade }) => trade))
  return `  ${name.padEnd(28)} ${String(recoveries.length).padStart(4)}   post ${post}   trade ${trade}`
}

/** The report of a run, as it is printed. */
export const reportOf = (seed: number, reports: ReadonlyArray<LegReport>): string => {
  const counts = new Map<string, number>()
  for (const report of reports)
    for (const [what, count] of report.counts) counts.set(what, (counts.get(what) ?? 0) + count)
  const recoveries = reports.flatMap((report) => report.recoveries)
  const kinds = [...new Set(recoveries.map(({ strike: { fault } }) => fault.kind))].toSorted()
  const violations = reports.flatMap(({ leg, violations }) =>
    violations.map((text) => `  leg ${leg.number} (${leg.ground}, rule ${leg.rule}): ${text.slice(0, 2_000)}`)
  )
  return [
    `chaos: ${recoveries.length} faults in ${reports.length} legs, seed ${seed}, ` +
      `${reports.reduce((sum, { seconds }) => sum + seconds, 0).toFixed(0)} s`,
    ...kinds.map((kind) =>
      recoveryLine(
        kind,
        recoveries.filter(({ strike: { fault } }) => fault.kind === kind)
      )
    ),
    recoveryLine("all", recoveries),
    ...[...counts]
      .toSorted(([a], [b]) => a.localeCompare(b))
      .map(([what, count]) => `  ${String(count).padStart(7)} ${what}`),
    violations.length === 0 ? "no violation" : `${violations.length} violations:`,
    ...violations
  ].join("\n")
}

/** Runs a plan leg by leg; `print` gets a line per leg and the report at the end. */
export const runChaos = async (
  kills: number,
  seed: number,
  print: (text: string) => void,
  only: number | null = null
): Promise<ReadonlyArray<LegReport>> => {
  const reports: Array<LegReport> = []
  const legs = planOf(kills, seed, only)
  // A run of nothing would find nothing.
  if (legs.length === 0) throw new Error(`the plan of ${kills} faults with seed ${seed} has no leg ${only}`)
  for (const leg of legs) {
    const report = await playLeg(leg)
    reports.push(report)
    print(
      `leg ${leg.number} (${leg.ground}, rule ${leg.rule}): ${leg.faults.length} faults in ${report.seconds.toFixed(0)} s, ` +
        (report.violations.length === 0
          ? "no violation"
          : `${report.violations.length} violations; again: npm run chaos -- --kills ${kills} --seed ${seed} --leg ${leg.number}`)
    )
  }
  print(reportOf(seed, reports))
  return reports
}
