/** Bare Effect: one fiber per child with `Effect.retry`, one bounded Queue as its mailbox, no supervisor. */
import { Data, Effect, Fiber, Queue, Schedule } from "effect"
import { Counter, serve, Stopwatch } from "../contestant.ts"

class Crashed extends Data.TaggedError("Crashed")<{}> {}
interface Letter {
  readonly type: string
}

const child = (started: () => void, letter: () => void, crashing: () => void) => {
  const queue = Effect.runSync(Queue.bounded<Letter>(4_096))
  const handle = (next: Letter): Effect.Effect<void, Crashed> => {
    if (next.type !== "crash") {
      letter()
      return Effect.void
    }
    crashing()
    return Effect.fail(new Crashed())
  }
  const life = Effect.andThen(
    Effect.sync(started),
    Effect.forever(Effect.flatMap(Queue.take(queue), handle), { disableYield: true })
  )
  return { fiber: Effect.runFork(Effect.retry(life, Schedule.forever)), queue }
}
const nothing = () => {}
const crowd = (count: number) => Array.from({ length: count }, () => child(nothing, nothing, nothing))
const end = (children: ReturnType<typeof crowd>) =>
  Effect.runPromise(Fiber.interruptAll(children.map(({ fiber }) => fiber)))

await serve({
  crash: async (times) => {
    const watch = new Stopwatch()
    const { fiber, queue } = child(watch.running, nothing, watch.crashed)
    const latencies = await watch.repeat(times, () => Queue.offerUnsafe(queue, { type: "crash" }))
    await Effect.runPromise(Fiber.interrupt(fiber))
    return latencies
  },
  mailbox: async (letters, burst) => {
    const counter = new Counter()
    const { fiber, queue } = child(nothing, counter.received, nothing)
    const letter = { type: "letter" }
    const elapsedMs = await counter.measure(letters, burst, () => Queue.offerUnsafe(queue, letter))
    await Effect.runPromise(Fiber.interrupt(fiber))
    return elapsedMs
  },
  idle: async (count) => {
    const children = crowd(count)
    return () => end(children)
  },
  scale: async (count) => {
    const startedAt = performance.now()
    const children = crowd(count)
    const upAt = performance.now()
    await end(children)
    return { startMs: upAt - startedAt, stopMs: performance.now() - upAt }
  }
})
