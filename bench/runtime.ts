/**
 * The runtime against its peers: the tasks, the targets, and the table.
 *
 * Figures of one machine in one hour mean little; ratios measured side by side mean much. So every contestant runs in
 * every round, each task in a process of its own, in an order that turns round by round, and what is reported are
 * medians of rounds and ratios within a round.
 * Promises: a contestant that cannot take part is named with the reason; one of ours that fails is an error.
 */
import { execFile } from "node:child_process"
import path from "node:path"
import { promisify } from "node:util"
import { type Figures, median, type Sizes } from "./contestant.ts"
import type { Absences } from "./peers.ts"

const run = promisify(execFile)
const contestants = path.join(import.meta.dirname, "contestants")
/** The slowest task, a hundred thousand machines, takes seconds; a minute or two on a machine that is busy. */
const taskMsMax = 300_000

export const tasks = ["crash", "mailbox", "idle", "scale"] as const
export type Task = (typeof tasks)[number]

/** In the order of the table. Ours come first. */
export const names = [
  "holdfast-worker",
  "holdfast-machine",
  "holdfast-bare",
  "otp",
  "nact",
  "xstate",
  "effect-fiber"
] as const
export type Name = (typeof names)[number]
const isOurs = (name: Name) => name.startsWith("holdfast")

/** Figures of one contestant in one task, one per round. */
export type Rounds = Map<Task, Map<Name, Array<Figures>>>

const otpSizes = ({ crashes, idle, letters, scale }: Sizes) => [crashes, letters, idle, ...scale].join(",")
const commandOf = (name: Name, task: Task, sizes: Sizes): readonly [string, ReadonlyArray<string>] => {
  if (name !== "otp")
    return [
      process.execPath,
      ["--expose-gc", path.join(contestants, `${name}.ts`), task, JSON.stringify(sizes)]
    ]
  const load = `{ok, M, B} = compile:file("otp.erl", [binary]), {module, M} = code:load_binary(M, "otp.erl", B)`
  // +P: more processes than the largest run needs.
  return [
    "erl",
    ["+P", "1000000", "-noshell", "-eval", `${load}, otp:main("${task}", [${otpSizes(sizes)}]).`]
  ]
}

const measure = async (name: Name, task: Task, sizes: Sizes): Promise<Figures | undefined> => {
  const [program, options] = commandOf(name, task, sizes)
  const { stdout } = await run(program, options, {
    cwd: contestants,
    timeout: taskMsMax,
    killSignal: "SIGKILL"
  })
  return (JSON.parse(stdout) as Figures | null) ?? undefined
}

/** What is measured: an empty `only` means everybody. */
export interface Asked {
  readonly rounds: number
  readonly only: ReadonlyArray<Name>
  readonly tasks: ReadonlyArray<Task>
}

/** Runs all rounds. */
export const runRounds = async (
  sizes: Sizes,
  { only, rounds, tasks }: Asked,
  absent: Absences
): Promise<Rounds> => {
  const figures: Rounds = new Map(tasks.map((task) => [task, new Map()]))
  const present = names.filter((name) => !absent.has(name) && (only.length === 0 || only.includes(name)))
  for (let round = 0; round < rounds; round++) {
    // Forwards and backwards, each time from another start: who comes first on a warm machine must not matter.
    const turned = [...present.slice(round % present.length), ...present.slice(0, round % present.length)]
    const order = round % 2 === 0 ? turned : turned.toReversed()
    for (const task of tasks) {
      for (const name of order) {
        const found = await measure(name, task, sizes).catch((error: unknown) => {
          if (isOurs(name)) throw error
          console.error(`bench: ${name} failed at ${task}: ${String(error).split("\n")[0]}`)
          return undefined
        })
        if (found === undefined) continue
        const ofTask = figures.get(task)
        ofTask?.set(name, [...(ofTask.get(name) ?? []), found])
      }
      console.error(`bench: round ${round + 1} of ${rounds}, ${task} done`)
    }
  }
  return figures
}

/** One line of the table: a figure, how to read it. `factor` is what the large run costs more per child than the small. */
interface Measure {
  readonly task: Task
  readonly title: string
  readonly unit: string
  readonly of: (figures: Figures, sizes: Sizes) => number
  /** True when more is better. */
  readonly more?: boolean
}
const field = (key: string) => (figures: Figures) => figures[key] ?? Number.NaN
const linearity = (what: string) => (figures: Figures, sizes: Sizes) =>
  ((figures[`${what}LargeMs`] ?? Number.NaN) / (figures[`${what}SmallMs`] ?? Number.NaN)) *
  (sizes.scale[0] / sizes.scale[2])

export const measures: Readonly<Record<string, Measure>> = {
  "crash.first": {
    task: "crash",
    title: "crash to running, the first of a process",
    unit: "us",
    of: field("firstUs")
  },
  "crash.p50": { task: "crash", title: "crash to running, p50", unit: "us", of: field("p50Us") },
  "crash.p99": { task: "crash", title: "crash to running, p99", unit: "us", of: field("p99Us") },
  mailbox: {
    task: "mailbox",
    title: "messages through one mailbox",
    unit: "per s",
    of: field("perSecond"),
    more: true
  },
  idle: { task: "idle", title: "memory of an idle child", unit: "bytes", of: field("bytes") },
  "start.small": { task: "scale", title: "start, small", unit: "ms", of: field("startSmallMs") },
  "start.middle": { task: "scale", title: "start, middle", unit: "ms", of: field("startMiddleMs") },
  "start.large": { task: "scale", title: "start, large", unit: "ms", of: field("startLargeMs") },
  "start.linearity": {
    task: "scale",
    title: "start, large : small per child",
    unit: "x",
    of: linearity("start")
  },
  "stop.small": { task: "scale", title: "stop, small", unit: "ms", of: field("stopSmallMs") },
  "stop.middle": { task: "scale", title: "stop, middle", unit: "ms", of: field("stopMiddleMs") },
  "stop.large": { task: "scale", title: "stop, large", unit: "ms", of: field("stopLargeMs") },
  "stop.linearity": {
    task: "scale",
    title: "stop, large : small per child",
    unit: "x",
    of: linearity("stop")
  }
}

/** A figure of one contestant over all rounds. */
export interface Outcome {
  readonly median: number
  readonly rounds: ReadonlyArray<number>
}
export type Outcomes = Readonly<Record<string, Readonly<Partial<Record<Name, Outcome>>>>>

export const outcomesOf = (rounds: Rounds, sizes: Sizes): Outcomes =>
  Object.fromEntries(
    Object.entries(measures).map(([key, { of, task }]) => {
      const found = [...(rounds.get(task) ?? [])].map(([name, all]) => {
        const values = all.map((figures) => of(figures, sizes))
        return [name, { median: median(values), rounds: values }] as const
      })
      return [key, Object.fromEntries(found)]
    })
  )

/** The median over rounds of ours divided by theirs; undefined when one of them is missing. */
export const ratioOf = (outcomes: Outcomes, key: string, ours: Name, theirs: Name): number | undefined => {
  const mine = outcomes[key]?.[ours]?.rounds ?? []
  const other = outcomes[key]?.[theirs]?.rounds ?? []
  const pairs = mine.slice(0, other.length).map((value, round) => value / (other[round] ?? Number.NaN))
  return pairs.length === 0 ? undefined : median(pairs)
}

/** What was promised: `value` is undefined when a peer is missing. */
export interface Verdict {
  readonly target: string
  readonly value: number | undefined
  readonly max: number
}
export const verdictsOf = (outcomes: Outcomes): ReadonlyArray<Verdict> => {
  const own = (key: string, name: Name) => outcomes[key]?.[name]?.median
  const scale = (["holdfast-worker", "holdfast-machine", "holdfast-bare"] as const).flatMap((name) =>
    (["start", "stop"] as const).map((what) => ({
      target: `${name}: ${what} of the large run against linear`,
      value: own(`${what}.linearity`, name),
      max: 10
    }))
  )
  return [
    ...(["holdfast-worker", "holdfast-machine"] as const).flatMap((name) => [
      {
        target: `${name}: crash to running, p50 against OTP`,
        value: ratioOf(outcomes, "crash.p50", name, "otp"),
        max: 4
      },
      {
        target: `${name}: crash to running, p99 against OTP`,
        value: ratioOf(outcomes, "crash.p99", name, "otp"),
        max: 8
      }
    ]),
    { target: "bytes of an idle plain child", value: own("idle", "holdfast-bare"), max: 8_192 },
    { target: "bytes of an idle child with a mailbox", value: own("idle", "holdfast-worker"), max: 8_192 },
    { target: "bytes of an idle machine child", value: own("idle", "holdfast-machine"), max: 16_384 },
    ...scale
  ]
}
