import { assert, describe, it } from "@effect/vitest"
import { Cause } from "effect"
import { ConnectionError, SqlError, UnknownError } from "effect/sql/SqlError"
import { findSqlError, hasBug, toDatabaseError } from "../../../src/layers/database/database-errors.ts"

/** What the client makes of a server's error: the fields are properties of the cause. */
const answered = (code: string, constraint?: string) =>
  new SqlError({
    reason: new UnknownError({
      cause: Object.assign(new Error(`state ${code}`), { code, constraint }),
      operation: "query"
    })
  })
const lost = (operation: string, code?: string) =>
  new SqlError({
    reason: new ConnectionError({ cause: Object.assign(new Error("lost"), { code }), operation })
  })

describe("database errors", () => {
  for (const [what, error, reason] of [
    ["connection refused", lost("connect", "ECONNREFUSED"), "connection"],
    ["no such socket", lost("connect", "ENOENT"), "connection"],
    ["connection lost", lost("query"), "connection"],
    ["written to a killed server", lost("query", "EPIPE"), "connection"],
    ["our socket heard nothing", lost("query", "ESILENT"), "silent"],
    ["wrong password", answered("28P01"), "connection"],
    ["no such database", answered("3D000"), "connection"],
    ["connection exception", answered("08006"), "connection"],
    ["admin shutdown", answered("57P01"), "server"],
    ["starting up", answered("57P03"), "server"],
    ["too many connections", answered("53300"), "server"],
    ["disk full", answered("53100"), "server"],
    ["input/output error", answered("58030"), "server"],
    ["a standby", answered("25006"), "server"],
    ["statement timeout", answered("57014"), "slow"],
    ["lock timeout", answered("55P03"), "contention"],
    ["deadlock", answered("40P01"), "contention"],
    ["serialization", answered("40001"), "contention"],
    ["idle in transaction", answered("25P03"), "connection"]
  ] as const) {
    it(`[${what}] is unavailability: ${reason}`, () => {
      const mapped = toDatabaseError("op", error, false)
      assert.strictEqual(mapped._tag, "DatabaseUnavailable")
      assert.strictEqual((mapped as { reason: string }).reason, reason)
    })
  }

  for (const code of ["42601", "42P01", "23503", "23514", "22P02", "42501", "XX000"]) {
    it(`[${code}] is a fault`, () => {
      const mapped = toDatabaseError("op", answered(code), true)
      assert.strictEqual(mapped._tag, "DatabaseFault")
      assert.strictEqual((mapped as { sqlState: string }).sqlState, code)
    })
  }

  it("names the constraint of a unique violation, and of nothing else", () => {
    assert.include(toDatabaseError("op", answered("23505", "orders_pkey"), true), {
      uniqueViolation: "orders_pkey"
    })
    assert.include(toDatabaseError("op", answered("23503", "orders_fk"), true), {
      uniqueViolation: undefined
    })
  })

  it("says the outcome is unknown only when a commit went out and no answer came back", () => {
    assert.include(toDatabaseError("op", lost("query"), true), { outcome: "unknown" })
    assert.include(toDatabaseError("op", lost("query"), false), { outcome: "not_applied" })
    assert.include(toDatabaseError("op", lost("connect"), true), { outcome: "not_applied" })
    assert.include(toDatabaseError("op", answered("57014"), true), { outcome: "not_applied" })
  })

  it("finds a SQL error that failed and one that died, and tells both from a bug", () => {
    const error = lost("rollback")
    assert.strictEqual(findSqlError(Cause.fail(error)), error)
    assert.strictEqual(findSqlError(Cause.combine(Cause.die("x"), Cause.die(error))), error)
    assert.isUndefined(findSqlError(Cause.fail("mine")))
    assert.isFalse(hasBug(Cause.die(error)))
    assert.isTrue(hasBug(Cause.combine(Cause.fail(error), Cause.die(new TypeError("bug")))))
  })
})
