/**
 * The timeline of a simulation: one virtual time, and one decision after the other about what happens next.
 *
 * Everything that takes time in a simulated process is a timer here, and everything that leaves it (a statement, a request to the
 * venue) is a call that waits here for its turn. When nobody can go on, the timeline draws which of the waiting calls is carried out,
 * or moves time to the next timer. So the interleaving of processes, executors and fills follows from the seed alone, although the
 * code that runs is the code that ships and the database is a real one.
 *
 * Promises: one call is carried out at a time; time stands still while anything runs; what a dead process waits for never happens,
 * and what a frozen one waits for happens when it goes on.
 * Never: reads the machine's clock to decide anything.
 */
import { type Clock, Duration, Effect } from "effect"
import { MixedScheduler } from "effect/Scheduler"
import type { Random } from "../outside/random.ts"

/** One life of one process. */
export interface Life {
  readonly name: string
  readonly clock: Clock.Clock
  state: "alive" | "frozen" | "dead"
  /** Calls until it dies, counted down; null: it lives. */
  dyingIn: number | null
  /** Whether the last call is still carried out: its answer reaches nobody. */
  diesAfter: boolean
}

interface Timer {
  readonly atMs: number
  readonly seq: number
  readonly life: Life | null
  readonly fire: () => void
}

interface Call {
  readonly life: Life
  readonly label: string
  readonly begin: () => void
}

/** A call that takes longer than this in real time waits for another call, which is a fault of the simulation. */
const STUCK_MS = 60_000
/** Turns of the event loop without a task of a fiber, after which nothing runs any more. */
const QUIET_TURNS = 2

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

export class Timeline {
  readonly #random: Random
  #nowMs: number
  #seq = 0
  #timers: Array<Timer> = []
  #calls: Array<Call> = []
  #tasks = 0
  #finished: (() => void) | null = null
  /** Calls carried out since the start. */
  calls = 0
  /** Told of each life that dies by `dyingIn`. */
  onDeath: (life: Life) => void = () => undefined
  /** Fibers of simulated processes run by this one, so that it is known when none of them can go on. */
  readonly scheduler = new MixedScheduler("async", (run) => {
    this.#tasks += 1
    let isOver = false
    const end = (): void => {
      if (!isOver) this.#tasks -= 1
      isOver = true
    }
    const handle = setImmediate(() => {
      end()
      run()
    })
    return () => {
      clearImmediate(handle)
      end()
    }
  })
  /** The clock of the world: the venue, the senders. */
  readonly clock: Clock.Clock

  constructor(random: Random, startMs: number) {
    this.#random = random
    this.#nowMs = startMs
    this.clock = this.#clockOf(null)
  }

  get nowMs(): number {
    return this.#nowMs
  }

  life(name: string): Life {
    const life: Life = {
      name,
      state: "alive",
      dyingIn: null,
      diesAfter: false,
      clock: this.clock
    }
    return Object.assign(life, { clock: this.#clockOf(life) })
  }

  #clockOf(life: Life | null): Clock.Clock {
    const nanos = (): bigint => BigInt(this.#nowMs) * 1_000_000n
    return {
      currentTimeMillisUnsafe: () => this.#nowMs,
      currentTimeMillis: Effect.sync(() => this.#nowMs),
      currentTimeNanosUnsafe: nanos,
      currentTimeNanos: Effect.sync(nanos),
      monotonicTimeNanosUnsafe: nanos,
      monotonicTimeNanos: Effect.sync(nanos),
      sleep: (duration) => this.sleep(life, Duration.toMillis(duration))
    }
  }

  /** Calls `fire` after so many milliseconds; answers how to take it back. */
  after(ms: number, life: Life | null, fire: () => void): () => void {
    if (!Number.isFinite(ms)) return () => undefined
    this.#seq += 1
    const timer: Timer = { atMs: this.#nowMs + Math.max(0, Math.ceil(ms)), seq: this.#seq, life, fire }
    const at = this.#timers.findLastIndex(({ atMs }) => atMs <= timer.atMs)
    this.#timers.splice(at + 1, 0, timer)
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer)
    }
  }

  sleep(life: Life | null, ms: number): Effect.Effect<void> {
    return Effect.callback<void>((resume) => {
      const drop = this.after(ms, life, () => resume(Effect.void))
      return Effect.sync(drop)
    })
  }

  /** Carries `effect` out when its turn comes; its answer arrives a drawn moment later. */
  call<A, E, R>(life: Life, label: string, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    const granted = Effect.callback<void>((resume) => {
      const call: Call = { life, label, begin: () => resume(Effect.void) }
      this.#calls.push(call)
      return Effect.sync(() => {
        this.#calls = this.#calls.filter((other) => other !== call)
      })
    })
    const carried = Effect.onExit(effect, () => Effect.sync(() => this.#finished?.()))
    const answered = Effect.suspend(() => this.sleep(life, this.#random.between(0, 3)))
    return Effect.gen(function* () {
      yield* granted
      const exit = yield* Effect.exit(carried)
      yield* answered
      return yield* exit
    })
  }

  kill(life: Life): void {
    life.state = "dead"
    this.#timers = this.#timers.filter((timer) => timer.life !== life)
    this.#calls = this.#calls.filter((call) => call.life !== life)
  }

  /** Waits until no fiber can go on. */
  async settle(): Promise<void> {
    let quiet = 0
    while (quiet < QUIET_TURNS) {
      await turn()
      quiet = this.#tasks === 0 ? quiet + 1 : 0
    }
  }

  async #carry(call: Call): Promise<void> {
    const { life } = call
    const dies = life.dyingIn !== null && life.dyingIn <= 0
    if (life.dyingIn !== null) life.dyingIn -= 1
    if (dies && !life.diesAfter) {
      this.onDeath(life)
      return
    }
    this.calls += 1
    const ended = new Promise<void>((resolve, reject) => {
      const stuck = setTimeout(() => reject(new Error(`a call never ends: ${call.label}`)), STUCK_MS)
      this.#finished = () => {
        clearTimeout(stuck)
        resolve()
      }
    })
    call.begin()
    await ended
    this.#finished = null
    if (dies) this.onDeath(life)
  }

  /** Runs for so long; what is due at the end is done. */
  async run(forMs: number): Promise<void> {
    const untilMs = this.#nowMs + forMs
    for (;;) {
      await this.settle()
      const ready = this.#calls.filter(({ life }) => life.state === "alive")
      if (ready.length > 0) {
        const call = this.#random.pick(ready)
        this.#calls = this.#calls.filter((other) => other !== call)
        await this.#carry(call)
        continue
      }
      const next = this.#timers.find(({ life }) => life === null || life.state === "alive")
      if (next === undefined || next.atMs > untilMs) break
      this.#timers = this.#timers.filter((other) => other !== next)
      this.#nowMs = Math.max(this.#nowMs, next.atMs)
      next.fire()
    }
    this.#nowMs = Math.max(this.#nowMs, untilMs)
  }
}
