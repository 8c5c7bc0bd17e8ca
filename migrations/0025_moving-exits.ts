/**
 * 0025 moving exits: what a stop that moves has reached.
 *
 * A trailing stop is as good as the best price it remembers, and a process that starts again must not forget it. So the best
 * price since the opening is a column of the share, next to the stop that follows from it, by what that stop was set, and the
 * terms under which both were made, so that changed settings are noticed.
 *
 * Promises: additive; a share that is open has no such terms, and its exit prices stay.
 * Never: moves a stop; later migrations only go forward.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default SqlClient.SqlClient.use((sql) =>
  Effect.all(
    [
      sql`ALTER TABLE position_shares
        ADD COLUMN moving_terms text,
        ADD COLUMN best_price numeric,
        ADD COLUMN stop_by text CHECK (stop_by IN ('stop_loss', 'trailing_stop', 'break_even'))`
    ],
    { discard: true }
  )
)
