/** Rows of refused posts: which of them wait for the server's disk. */
import { randomUUID } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import type { RefusedPost } from "../../../src/domain/intake/refused-post.ts"
import { Database } from "../../../src/layers/database/database.port.ts"
import { refusedStorePg } from "../../../src/layers/intake/refused-store.pg.ts"
import { RefusedStore } from "../../../src/layers/intake/refused-store.port.ts"
import { openFreshDatabase } from "../../support/postgres.ts"

const post = (): RefusedPost => ({
  id: randomUUID(),
  source: "default",
  reason: "conflict",
  answered: 202,
  errors: [],
  text: { body: "{}", bytes: 2, cut: false, hash: null },
  webhookId: null,
  idempotencyKey: null,
  requestId: "r",
  address: null,
  signalId: randomUUID(),
  receivedAtMs: Date.now()
})

describe("a refused post", () => {
  it.live("waits for the server's disk when it is stored as durable, and not for a flood of others", () =>
    Effect.gen(function* () {
      const { database } = yield* openFreshDatabase()
      const context = yield* Layer.build(
        refusedStorePg.pipe(Layer.provide(Layer.succeed(Database, database)))
      )
      const store = Context.get(context, RefusedStore)
      // Each row says how its transaction was going to be committed.
      yield* database.run(
        "test.note",
        (sql) => sql`
          CREATE FUNCTION note_commit() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN NEW.request_id := current_setting('synchronous_commit'); RETURN NEW; END $$`
      )
      yield* database.run(
        "test.note",
        (sql) =>
          sql`CREATE TRIGGER note BEFORE INSERT ON refused_posts FOR EACH ROW EXECUTE FUNCTION note_commit()`
      )
      const usual = yield* database.run(
        "test.usual",
        (sql) => sql<{ usual: string }>`SELECT current_setting('synchronous_commit') AS usual`
      )
      yield* store.store([post()], "durable")
      yield* store.store([post(), post()])
      const rows = yield* database.run(
        "test.noted",
        (sql) => sql<{ noted: string }>`SELECT request_id AS noted FROM refused_posts ORDER BY seq`
      )
      assert.notStrictEqual(usual[0]?.usual, "off")
      assert.deepStrictEqual(
        rows.map(({ noted }) => noted),
        [usual[0]?.usual, "off", "off"]
      )
    }).pipe(Effect.scoped)
  )
})
