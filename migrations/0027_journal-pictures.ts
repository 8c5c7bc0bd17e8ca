/**
 * 0027 journal-pictures: what a process was at a number of its journal, so that any moment can be shown from the last picture before
 * it and the entries behind that (G6).
 *
 * A table of its own and no entries of the journal: a picture is as large as the tree, and no viewer of the stream wants one.
 * `seq` is what retention walks by.
 *
 * Promises: additive; no row changes.
 * Never: drops or rewrites; later migrations only go forward.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default SqlClient.SqlClient.use((sql) =>
  Effect.all(
    [
      sql`CREATE TABLE journal_pictures (
        seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        node text NOT NULL,
        boot uuid NOT NULL,
        number bigint NOT NULL,
        after bigint NOT NULL,
        at timestamptz NOT NULL,
        picture jsonb NOT NULL,
        UNIQUE (node, number, boot)
      )`,
      sql`CREATE INDEX journal_pictures_at ON journal_pictures (at)`
    ],
    { discard: true }
  )
)
