import * as path from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { makePgDatabase } from "../../src/layers/database/database.pg.ts"
import { processTree } from "../../src/layers/database/postgres-pid-file.ts"
import { embeddedServer } from "../../src/layers/database/postgres-server.embedded.ts"
import { noServerLeft, seededDirectory, startLife, until } from "./postgres-world.ts"
import { signalAll } from "../support/signals.ts"

const rounds = Number(process.env["KILL_ROUNDS"] ?? 25)
const seed = Number(process.env["KILL_SEED"] ?? Math.floor(Math.random() * 2 ** 31))

/** mulberry32: small, and the same everywhere, so that a printed seed replays the order of kills. */
const randomFrom = (start: number) => {
  let state = start
  return (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

describe("random kills", { timeout: 600_000 }, () => {
  it.live(`[${rounds} rounds, KILL_SEED=${seed}] lose no acknowledged row and leave no process`, () =>
    Effect.gen(function* () {
      const random = randomFrom(seed)
      const dataDir = yield* seededDirectory
      const acked: Array<string> = []
      for (let round = 0; round < rounds; round++) {
        const life = yield* startLife({ dataDir, writers: 8 })
        const { pid } = yield* life.said("started")
        yield* until("a first row", () => (life.acked().length > 0 ? true : undefined))
        yield* Effect.sleep(random() * 700)
        const kind = Math.floor(random() * 3)
        const tree = processTree(pid)
        if (kind > 0) signalAll(kind === 1 ? [pid] : tree, "SIGKILL")
        if (kind === 1) yield* life.said("started", 2)
        yield* life.end("SIGKILL")
        acked.push(...life.acked())
      }
      const running = yield* embeddedServer({ dataDir }).start
      const database = yield* makePgDatabase({ target: running.target, poolSize: 1 })
      const rows = yield* database.run("all", (sql) => sql<{ id: string }>`SELECT id FROM written`)
      const stored = new Set(rows.map((row) => row.id))
      assert.deepStrictEqual(
        acked.filter((id) => !stored.has(id)),
        []
      )
      assert.isAbove(acked.length, rounds)
      process.kill(running.pid ?? -1, "SIGINT")
      yield* noServerLeft(path.join(dataDir, "postgres"))
    })
  )
})
