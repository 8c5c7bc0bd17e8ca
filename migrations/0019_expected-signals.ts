/**
 * 0019 expected signals: what every source should have sent, and when this installation took posts (F4).
 *
 * A signal that does not come leaves no row, so each due moment of a schedule gets one of its own, with what arrived in its
 * window. Whether the sender was silent, or nobody here could have heard it, is a fact about us: `intake_presence` has the
 * stretches of time in which a process took posts and refused none, each ended by the last moment for which that is known.
 *
 * Signals are looked up by the time they came, for schedules and for alert logs. The rows are in that order already, so a
 * BRIN index of a few pages is enough; rejected: a B-tree, which every post would pay for.
 *
 * Promises: no row changes.
 * Never: drops or rewrites; later migrations only go forward.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default SqlClient.SqlClient.use((sql) =>
  Effect.all(
    [
      sql`CREATE TABLE expected_signals (
        seq bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
        source text NOT NULL,
        due_at timestamptz NOT NULL,
        -- In time: from from_at to grace_at. Late: from there to until_at, where the next window begins.
        from_at timestamptz NOT NULL,
        grace_at timestamptz NOT NULL,
        until_at timestamptz NOT NULL,
        needed integer NOT NULL CHECK (needed > 0),
        received integer NOT NULL,
        -- unobserved: this installation took no posts for a part of the time.
        status text NOT NULL CHECK (status IN ('received', 'late', 'missed', 'unobserved')),
        judged_at timestamptz NOT NULL DEFAULT hf_clock(),
        PRIMARY KEY (source, due_at)
      )`,
      sql`CREATE INDEX expected_signals_open ON expected_signals (source, until_at) WHERE status IN ('missed', 'unobserved')`,
      sql`CREATE TABLE intake_presence (
        id uuid PRIMARY KEY,
        life text NOT NULL,
        since timestamptz NOT NULL,
        until timestamptz NOT NULL
      )`,
      sql`CREATE INDEX intake_presence_until ON intake_presence (until)`,
      sql`CREATE INDEX signals_received ON signals USING brin (received_at) WITH (pages_per_range = 32, autosummarize = on)`
    ],
    { discard: true }
  )
)
