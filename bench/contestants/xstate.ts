/** Plain XState actors, restarted by hand in the error observer: what one writes without a supervisor. */
import { type Actor, createActor } from "xstate"
import { Counter, serve, Stopwatch, turn } from "../contestant.ts"
import { chart } from "./chart.ts"

const nothing = () => {}
const quiet = { started: nothing, letter: nothing, crashing: nothing }

const crowd = (count: number) => {
  const machine = chart(quiet)
  return Array.from({ length: count }, () => {
    const actor = createActor(machine)
    actor.subscribe({ error: nothing })
    return actor.start()
  })
}

await serve({
  crash: async (times) => {
    const watch = new Stopwatch()
    const machine = chart({ ...quiet, started: watch.running, crashing: watch.crashed })
    let actor: Actor<typeof machine>
    const begin = () => {
      actor = createActor(machine)
      actor.subscribe({ error: begin })
      actor.start()
    }
    begin()
    return watch.repeat(times, () => actor.send({ type: "crash" }))
  },
  mailbox: async (letters, burst) => {
    const counter = new Counter()
    const actor = createActor(chart({ ...quiet, letter: counter.received })).start()
    const elapsedMs = await counter.measure(letters, burst, () => actor.send({ type: "letter" }))
    actor.stop()
    return elapsedMs
  },
  idle: async (count) => {
    const actors = crowd(count)
    return async () => {
      for (const actor of actors) actor.stop()
      await turn()
    }
  },
  scale: async (count) => {
    const startedAt = performance.now()
    const actors = crowd(count)
    const upAt = performance.now()
    for (const actor of actors) actor.stop()
    return { startMs: upAt - startedAt, stopMs: performance.now() - upAt }
  }
})
