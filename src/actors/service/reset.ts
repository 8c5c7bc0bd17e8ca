/**
 * Reset of practice data: the way from practice to another mode on the same DATA_DIR, and to a fresh start.
 *
 * It is a life of its own, of seconds: it holds the lock of DATA_DIR as the service would, so it never runs next to one,
 * starts the database, removes what is ours, and ends.
 *
 * Promises: status 0 when the data is gone, 78 when it is not practice data, 69 when it could not be reached; nothing is
 * removed unless everything is.
 * Never: touches PAPER or LIVE data.
 */
import { Cause, Effect } from "effect"
import { exitStatus, type Verdict, verdictOf } from "../../domain/platform/exit-status.ts"
import { Database } from "../../layers/database/database.port.ts"
import { Installation, ResetRefused } from "../../layers/database/installation.port.ts"
import { PostgresServer } from "../../layers/database/postgres-server.port.ts"
import { DataDir } from "../../layers/platform/data-dir.port.ts"
import { describeCause, failureClassOf } from "../../runtime/exit-reason.ts"
import { logEvent } from "../../runtime/log-event.ts"

const removeData = Effect.scoped(
  Effect.gen(function* () {
    const dataDir = yield* DataDir
    const server = yield* PostgresServer
    const database = yield* Database
    const installation = yield* Installation
    const held = yield* dataDir.hold
    if (held.mode !== null && held.mode !== "PRACTICE") {
      return yield* new ResetRefused({
        reason: `${held.path} holds ${held.mode} data: only practice data can be reset`,
        hint: "use another DATA_DIR; this one stays as it is"
      })
    }
    yield* server.start
    yield* database.probe
    yield* installation.reset(held.nodeId)
    yield* dataDir.forgetMode
    yield* logEvent(
      "info",
      "practice.reset",
      "the practice data is gone; the next start is a fresh one, in any mode",
      {
        component: "root",
        path: held.path
      }
    )
  })
)

/** Removes the practice data, and reports the outcome. */
export const resetPractice = removeData.pipe(
  Effect.as<Verdict>({ status: exitStatus.clean, fatal: null }),
  Effect.catchCause((cause) =>
    Effect.succeed(
      verdictOf({
        error: Cause.squash(cause),
        failureClass: failureClassOf(cause),
        path: "root/database",
        step: "practice.reset",
        cause: describeCause(cause),
        everReady: false
      })
    )
  )
)
