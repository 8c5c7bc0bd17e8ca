import { assert, describe, it } from "@effect/vitest"
import { Redacted, Result } from "effect"
import {
  describeTarget,
  socketAddress,
  socketTarget,
  targetFromUrl,
  urlOf,
  withDatabase
} from "../../../src/layers/database/database-target.ts"

const parse = (url: string) => targetFromUrl(Redacted.make(url))
const address = (url: string) => socketAddress(Result.getOrThrow(parse(url)))

describe("a database target", () => {
  for (const [url, expected] of [
    ["postgres://u:p@db.example:6432/x", { host: "db.example", port: 6432 }],
    ["postgresql://db.example/x", { host: "db.example", port: 5432 }],
    ["postgres://u@[::1]:5433/x", { host: "::1", port: 5433 }],
    ["postgres:///x?host=/run/pg", { path: "/run/pg/.s.PGSQL.5432" }],
    ["postgres://u@localhost:5433/x?host=%2Fvar%2Frun%2Fpg", { path: "/var/run/pg/.s.PGSQL.5433" }],
    ["postgres://u@localhost/x?host=/dir&port=7", { path: "/dir/.s.PGSQL.7" }]
  ] as const) {
    it(`[${url}] is at ${JSON.stringify(expected)}`, () => assert.deepStrictEqual(address(url), expected))
  }

  for (const url of [
    "nonsense",
    "mysql://localhost/x",
    "postgres://localhost/x?port=99999",
    "http://localhost"
  ]) {
    it(`[${url}] is refused with a reason that does not repeat it`, () => {
      const refused = parse(url)
      assert.isTrue(Result.isFailure(refused))
      if (Result.isFailure(refused)) assert.notInclude(refused.failure.reason, url)
    })
  }

  it("goes to a URL and back", () => {
    const target = socketTarget("/tmp/a dir/run", "holdfast")
    assert.deepStrictEqual(
      socketAddress(Result.getOrThrow(targetFromUrl(urlOf(target)))),
      socketAddress(target)
    )
  })

  it("names another database of the same server", () => {
    const other = withDatabase(Result.getOrThrow(parse("postgres://u:p@h:1/one?sslmode=disable")), "two")
    assert.strictEqual(Redacted.value(urlOf(other)), "postgres://u:p@h:1/two?sslmode=disable")
    assert.strictEqual(
      (withDatabase(socketTarget("/s", "one"), "two") as { database: string }).database,
      "two"
    )
  })

  it("is described without its password", () => {
    assert.strictEqual(describeTarget(Result.getOrThrow(parse("postgres://u:hunter2@h:1/x"))), "tcp:h:1")
  })
})
