import { assert, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { randomUUID } from "node:crypto"
import { ReadStorePg } from "../../../src/layers/health/read-store.pg.ts"
import { ReadStore } from "../../../src/layers/health/read-store.port.ts"
import { FillsStore } from "../../../src/layers/orders/fills-store.port.ts"
import { fillOf, intend, own, sql, world } from "../../integration/execution-world.ts"

layer(ReadStorePg.pipe(Layer.provideMerge(world())), { excludeTestServices: true })(
  "[A4] the linkage of the latest fills",
  (it) => {
    it.effect("counts fills of our orders, and metadata where it is expected and its time is over", () =>
      Effect.gen(function* () {
        yield* own()
        const recent = (...sources: ReadonlyArray<string>) =>
          ReadStore.use((reads) => reads.recentLinkage(sources))
        const empty = { ours: 0, linked: 0, rate: null, metadataExpected: 0, withMetadata: 0, coverage: null }
        assert.deepStrictEqual(yield* recent("default"), empty)
        const fills = yield* FillsStore
        for (const symbol of ["A", "B", "C"])
          yield* fills.record("practice", fillOf(yield* intend({ symbol })))
        yield* fills.record("practice", fillOf({ clientOrderId: null, symbol: "D", side: "buy" }))
        assert.deepStrictEqual(
          yield* recent("default"),
          { ...empty, ours: 3, linked: 3, rate: 1 },
          "it may still come"
        )
        yield* sql((client) => client`UPDATE trade_records SET recorded_at = hf_now() - interval '6 minutes'`)
        assert.deepInclude(yield* recent("default"), { metadataExpected: 3, withMetadata: 0, coverage: 0 })
        assert.deepInclude(yield* recent("other"), { metadataExpected: 0, coverage: null })
        const snapshot = randomUUID()
        yield* sql((client) =>
          Effect.all([
            client`INSERT INTO signals (id, kind, source, identity, identity_kind, body_hash, body, request_id, answer)
              VALUES (${snapshot}, 'metadata', 'default', ${snapshot}, 'explicit', 'h', '{}', 'r', '{}')`,
            client`INSERT INTO signal_metadata (snapshot_id, signal_id, pair, trigger, buy_score, sell_score, at)
              VALUES (${snapshot}, ${snapshot}, 'A', 't', 1, 1, hf_now())`,
            client`UPDATE trade_strategy_link SET snapshot_id = ${snapshot}::uuid
              WHERE trade_record_id IN (SELECT id FROM trade_records WHERE symbol = 'A')`,
            client`DELETE FROM trade_strategy_link
              WHERE trade_record_id IN (SELECT id FROM trade_records WHERE symbol = 'C')`
          ])
        )
        assert.deepStrictEqual(yield* recent("default"), {
          ours: 3,
          linked: 2,
          rate: 2 / 3,
          metadataExpected: 3,
          withMetadata: 1,
          coverage: 1 / 3
        })
      })
    )
  }
)
