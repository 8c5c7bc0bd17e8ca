/**
 * What a contestant can be asked, and the process that asks it: `node --expose-gc contestants/x.ts crash`.
 *
 * Every task runs in a process of its own, so that no contestant inherits the heap, the compiled code or the timers of
 * another. All answer the same questions in the same units; Erlang answers them in contestants/otp.erl.
 * Promises: one JSON object on stdout; code is warmed up before anything is timed, even for the small sizes that the
 * large ones are compared with; the first crash of a process, cold, is a figure of its own.
 */

/** Answers of one task: named figures. Latencies are microseconds, durations milliseconds. */
export type Figures = Readonly<Record<string, number>>

export interface Contestant {
  /** Crashes something `times` times, one after the other; microseconds from each crash to the running successor. */
  readonly crash?: (times: number) => Promise<ReadonlyArray<number>>
  /** Sends `letters` to one receiver in bursts of `burst`, each burst awaited; milliseconds for all. */
  readonly mailbox?: (letters: number, burst: number) => Promise<number>
  /** Creates `count` idle children and keeps them; the result releases them. */
  readonly idle?: (count: number) => Promise<() => Promise<void>>
  /** Starts and stops `count` children; milliseconds of each. */
  readonly scale?: (count: number) => Promise<{ readonly startMs: number; readonly stopMs: number }>
  /** Messages for one round, when a million would take minutes. */
  readonly lettersMax?: number
}

/** The sizes of a task: full, or just enough to see that it works. */
export interface Sizes {
  readonly crashes: number
  readonly letters: number
  readonly idle: number
  /** Children of the small, the middle and the large run. */
  readonly scale: readonly [number, number, number]
}
export const fullSizes: Sizes = {
  crashes: 20_000,
  letters: 1_000_000,
  idle: 10_000,
  scale: [1_000, 10_000, 100_000]
}
export const quickSizes: Sizes = { crashes: 50, letters: 20_000, idle: 500, scale: [100, 200, 1_000] }

/** What a receiver gets in one burst before the sender waits: a full mailbox is not what is measured. */
const burst = 1_000
/** A first run of everything pays for compiling it. */
const warmShare = 0.25

export const quantile = (values: ReadonlyArray<number>, share: number): number => {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}
export const median = (values: ReadonlyArray<number>): number => quantile(values, 0.5)

/** A turn of the event loop: crashes of real life do not come in one microtask. */
export const turn = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve)
  })

/** Crashes by `provoke`, which must lead to one call of `crashed` and then one of `running`. */
export class Stopwatch {
  readonly latenciesUs: Array<number> = []
  #crashedAt = Number.NaN
  #resume: (() => void) | undefined
  /** Called by the child as its last act. */
  readonly crashed = (): void => {
    this.#crashedAt = performance.now()
  }
  /** Called by the successor as its first act. */
  readonly running = (): void => {
    if (Number.isNaN(this.#crashedAt)) return
    this.latenciesUs.push((performance.now() - this.#crashedAt) * 1_000)
    this.#crashedAt = Number.NaN
    this.#resume?.()
  }
  async repeat(times: number, provoke: () => void): Promise<ReadonlyArray<number>> {
    for (let count = 0; count < times; count++) {
      const back = new Promise<void>((resolve) => {
        this.#resume = resolve
      })
      provoke()
      await back
      await turn()
    }
    return this.latenciesUs
  }
}

/** Counts letters for a sender that waits for the last of each burst. */
export class Counter {
  #seen = 0
  #until = 0
  #resume: (() => void) | undefined
  readonly received = (): void => {
    if (++this.#seen === this.#until) this.#resume?.()
  }
  /** Milliseconds for all letters to be sent and received. */
  async measure(letters: number, size: number, send: () => void): Promise<number> {
    const startedAt = performance.now()
    for (let sent = 0; sent < letters; sent += size) {
      this.#until = this.#seen + size
      const all = new Promise<void>((resolve) => {
        this.#resume = resolve
      })
      for (let index = 0; index < size; index++) send()
      await all
    }
    return performance.now() - startedAt
  }
}

const heapBytes = async (): Promise<number> => {
  // Twice, with turns between: finalizers and weak references are cleared in the second.
  for (let round = 0; round < 3; round++) {
    await turn()
    globalThis.gc?.()
  }
  const { arrayBuffers, external, heapUsed } = process.memoryUsage()
  return heapUsed + external + arrayBuffers
}

const runIdle = async (idle: NonNullable<Contestant["idle"]>, count: number): Promise<Figures> => {
  const letGo = await idle(Math.ceil(count * warmShare))
  await letGo()
  const before = await heapBytes()
  const release = await idle(count)
  const bytes = ((await heapBytes()) - before) / count
  await release()
  return { bytes }
}

const runScale = async (scale: NonNullable<Contestant["scale"]>, sizes: Sizes["scale"]): Promise<Figures> => {
  const [small, middle, large] = sizes
  for (let round = 0; round < 3; round++) await scale(small)
  const of = async (count: number, rounds: number) => {
    const runs: Array<{ readonly startMs: number; readonly stopMs: number }> = []
    for (let round = 0; round < rounds; round++) {
      await turn()
      globalThis.gc?.()
      runs.push(await scale(count))
    }
    return { start: median(runs.map((run) => run.startMs)), stop: median(runs.map((run) => run.stopMs)) }
  }
  const few = await of(small, 5)
  const more = await of(middle, 3)
  const many = await of(large, 1)
  return {
    startSmallMs: few.start,
    startMiddleMs: more.start,
    startLargeMs: many.start,
    stopSmallMs: few.stop,
    stopMiddleMs: more.stop,
    stopLargeMs: many.stop
  }
}

const runTask = async (contestant: Contestant, task: string, sizes: Sizes): Promise<Figures | undefined> => {
  if (task === "crash" && contestant.crash !== undefined) {
    // As many again to warm up: V8 compiles the last of what a restart runs after some ten thousand of them.
    const all = await contestant.crash(sizes.crashes * 2)
    const warm = all.slice(-sizes.crashes)
    return { firstUs: all[0] ?? Number.NaN, p50Us: quantile(warm, 0.5), p99Us: quantile(warm, 0.99) }
  }
  if (task === "mailbox" && contestant.mailbox !== undefined) {
    const wanted = Math.min(sizes.letters, contestant.lettersMax ?? Number.POSITIVE_INFINITY)
    const letters = Math.ceil(wanted / burst) * burst
    await contestant.mailbox(Math.ceil((letters * warmShare) / burst) * burst, burst)
    return { perSecond: (letters / (await contestant.mailbox(letters, burst))) * 1_000 }
  }
  if (task === "idle" && contestant.idle !== undefined) return runIdle(contestant.idle, sizes.idle)
  if (task === "scale" && contestant.scale !== undefined) return runScale(contestant.scale, sizes.scale)
  return undefined
}

/** The main program of a contestant's file: `crash | mailbox | idle | scale`, then the sizes as JSON. */
export const serve = async (contestant: Contestant): Promise<void> => {
  const [task = "", sizes] = process.argv.slice(2)
  const figures = await runTask(
    contestant,
    task,
    sizes === undefined ? quickSizes : (JSON.parse(sizes) as Sizes)
  )
  console.log(JSON.stringify(figures ?? null))
}
