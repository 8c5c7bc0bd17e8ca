/**
 * A program that holds a data directory until it is killed: `node data-dir-holder.ts <directory>`.
 *
 * Promises: one line on stdout: "held", or the tag of the error.
 * Never: ends by itself after it printed "held".
 */
import * as Effect from "effect/Effect"
import { dataDirAt } from "../../../src/layers/platform/data-dir.file.ts"
import { nodeEntropy } from "../../../src/layers/platform/entropy.node.ts"

const hold = dataDirAt(process.argv[2] ?? "", nodeEntropy).hold.pipe(
  Effect.andThen(Effect.sync(() => console.log("held"))),
  Effect.andThen(Effect.never),
  Effect.scoped,
  Effect.catch((error) => Effect.sync(() => console.log(error._tag)))
)
// A timer keeps the process alive: an open file does not.
const alive = setInterval(() => undefined, 60_000)
await Effect.runPromise(hold)
clearInterval(alive)
