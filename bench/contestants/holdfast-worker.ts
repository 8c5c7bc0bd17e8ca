/** A plain holdfast worker: a fiber that takes from its own bounded mailbox. */
import { Data, Effect } from "effect"
import { serve } from "../contestant.ts"
import { contestantOf, type Kind } from "./holdfast-tree.ts"

class Crashed extends Data.TaggedError("Crashed")<{}> {}

const kind: Kind = (hooks) => (self) =>
  Effect.sync(() => {
    hooks.started()
    const mailbox = self.mailbox<{ readonly type: string }>({ capacity: 4_096, overflow: "reject" })
    const handle = (letter: { readonly type: string }): Effect.Effect<void, Crashed> => {
      if (letter.type !== "crash") {
        hooks.letter()
        return Effect.void
      }
      hooks.crashing()
      return Effect.fail(new Crashed())
    }
    return {
      run: Effect.forever(Effect.flatMap(mailbox.take, handle), { disableYield: true }),
      send: (event: { readonly type: string }) => mailbox.offer(event)
    }
  })

await serve(contestantOf(kind))
