/**
 * nact, the actor library of Node: its own restart is `ctx.reset` in `onCrash`.
 *
 * It is installed by `npm run bench` below bench/, so the compiler of the service does not know it and the few
 * functions that are used are declared here.
 */
import { createRequire } from "node:module"
import { Counter, serve, Stopwatch, turn } from "../contestant.ts"

interface Reference {
  readonly name: string
}
interface Letter {
  readonly type: string
}
interface Nact {
  readonly start: () => Reference
  readonly stop: (reference: Reference) => void
  readonly dispatch: (reference: Reference, letter: Letter) => void
  readonly spawn: (
    parent: Reference,
    f: (state: unknown, letter: Letter) => unknown,
    name: string,
    options: {
      readonly initialStateFunc?: () => unknown
      readonly afterStop?: () => void
      readonly onCrash?: (letter: Letter, error: unknown, context: { readonly reset: unknown }) => unknown
    }
  ) => Reference
}
const library = "nact"
const { dispatch, spawn, start, stop } = createRequire(import.meta.url)(library) as Nact

const nothing = () => {}
const child = (
  system: Reference,
  name: string,
  started: () => void,
  letter: () => void,
  crashing: () => void,
  afterStop: () => void
) =>
  spawn(
    system,
    (state, next) => {
      if (next.type !== "crash") {
        letter()
        return state
      }
      crashing()
      throw new Error("crashed")
    },
    name,
    {
      initialStateFunc: () => {
        started()
        return 0
      },
      afterStop,
      onCrash: (_letter, _error, context) => context.reset
    }
  )

/** Its `stop(system)` forgets the children instead of stopping them, so each is stopped by itself. */
const crowd = (count: number) => {
  const system = start()
  const stopped = new Set<number>()
  const children = Array.from({ length: count }, (_, index) =>
    child(system, `child-${index}`, nothing, nothing, nothing, () => stopped.add(index))
  )
  return async () => {
    for (const one of children) stop(one)
    while (stopped.size < children.length) await turn()
    stop(system)
  }
}

await serve({
  // Every message costs it a turn of the event loop.
  lettersMax: 50_000,
  crash: async (times) => {
    const watch = new Stopwatch()
    const system = start()
    const crasher = child(system, "child", watch.running, nothing, watch.crashed, nothing)
    const latencies = await watch.repeat(times, () => dispatch(crasher, { type: "crash" }))
    stop(crasher)
    return latencies
  },
  mailbox: async (letters, burst) => {
    const counter = new Counter()
    const system = start()
    const receiver = child(system, "child", nothing, counter.received, nothing, nothing)
    const elapsedMs = await counter.measure(letters, burst, () => dispatch(receiver, { type: "letter" }))
    stop(receiver)
    return elapsedMs
  },
  idle: async (count) => crowd(count),
  scale: async (count) => {
    const startedAt = performance.now()
    const end = crowd(count)
    const upAt = performance.now()
    await end()
    return { startMs: upAt - startedAt, stopMs: performance.now() - upAt }
  }
})
