/**
 * 0002 wave signals: signals that a feed brings before their wave is due.
 *
 * They are rows of `signals` from the moment they arrive, so identity, decision and trace are those of every signal;
 * until their wave is due they are `buffered`, a status no pipeline claims. Rejected: a table of their own, which would
 * need a second identity and a copy of each row at the moment that matters most.
 *
 * Promises: rows that exist are untouched; a signal has a feed and a wave, or neither.
 * Never: drops or rewrites; later migrations only go forward.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default SqlClient.SqlClient.use((sql) =>
  Effect.all(
    [
      sql`ALTER TABLE signals ADD COLUMN feed text, ADD COLUMN wave timestamptz`,
      sql`ALTER TABLE signals ADD CONSTRAINT signals_wave_check CHECK ((feed IS NULL) = (wave IS NULL))`,
      sql`ALTER TABLE signals DROP CONSTRAINT signals_status_check`,
      sql`ALTER TABLE signals ADD CONSTRAINT signals_status_check
        CHECK (status IN ('buffered', 'received', 'processing', 'done', 'rejected', 'dead'))`,
      sql`CREATE INDEX signals_wave ON signals (feed, wave) WHERE wave IS NOT NULL`
    ],
    { discard: true }
  )
)
