/**
 * Asks V8 for a full garbage collection, for tests about what is kept alive.
 *
 * Never: used outside of tests; the flag is set at run time so that no test command needs it.
 */
import { Effect } from "effect"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"

/** Lets pending work finish and collects twice, because weak references are cleared after the turn that read them. */
export const collectGarbage: Effect.Effect<void> = Effect.promise(async () => {
  setFlagsFromString("--expose-gc")
  const collect = runInNewContext("gc") as () => void
  for (let round = 0; round < 3; round++) {
    await new Promise<void>((resolve) => {
      setImmediate(resolve)
    })
    collect()
  }
})
