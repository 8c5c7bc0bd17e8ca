/** The smallest possible holdfast child: it lives until it is stopped, and has nothing. For memory and scale. */
import { Effect } from "effect"
import { serve } from "../contestant.ts"
import { contestantOf } from "./holdfast-tree.ts"

const { idle, scale } = contestantOf(() => () => Effect.succeed({}))
await serve({ idle, scale })
