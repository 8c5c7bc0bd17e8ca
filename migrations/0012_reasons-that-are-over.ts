/**
 * 0012 reasons that are over: a filled order says no more why it once had to wait.
 *
 * Orders that were held, or looked up, kept the reason of that status after they had filled: `filled` with
 * `trading_halted`. Since steps clear it, only rows from before still say so. Their events keep the whole story.
 *
 * Promises: touches filled orders alone, and of them the reason alone.
 * Never: changes what an order did; later migrations only go forward.
 */
import { SqlClient } from "effect/sql"

export default SqlClient.SqlClient.use(
  (sql) => sql`UPDATE orders SET reason = NULL WHERE status = 'filled' AND reason IS NOT NULL`
)
