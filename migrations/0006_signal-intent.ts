/**
 * 0006 signal-intent: where a sender wants its position to end.
 *
 * A signal could only say buy or sell; a sender that closes, reverses or names its target said it in fields that stayed in
 * the stored body. The decision reads columns, so the fields get some. `intent` is what the body asks for, by whichever of
 * its fields; the others are as given. Rows of before have none of them and mean what they meant.
 *
 * Promises: a target has its size.
 * Never: rewrites a row; later migrations only go forward.
 */
import { SqlClient } from "effect/sql"

export default SqlClient.SqlClient.use(
  (sql) => sql`ALTER TABLE signals
    ADD COLUMN intent text CHECK (intent IN ('open', 'close', 'reverse', 'target')),
    ADD COLUMN position_size numeric,
    ADD COLUMN market_position text CHECK (market_position IN ('long', 'short', 'flat')),
    ADD COLUMN prev_market_position text CHECK (prev_market_position IN ('long', 'short', 'flat')),
    ADD COLUMN market_position_size numeric CHECK (market_position_size >= 0),
    ADD CONSTRAINT signals_target_size CHECK (intent <> 'target' OR position_size IS NOT NULL)`
)
