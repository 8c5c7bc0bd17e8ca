import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope, Semaphore } from "effect"
import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import type { AddressInfo, LookupFunction } from "node:net"
import { join } from "node:path"
import { createServer as createTlsServer } from "node:tls"
import { afterAll, beforeAll } from "vitest"
import type { DatabaseService } from "../../src/layers/database/database.port.ts"
import { openFreshDatabase } from "../support/postgres.ts"
import { scratchRoot } from "../support/scratch.ts"
import { documented, type MatrixRow, rows } from "./feed-matrix-rows.ts"
import { feedSettings, offered, runningFeed, signalServer, storedIds, until } from "./feed-world.ts"

/** A TLS server with a certificate nobody signed, made by the machine's own openssl. */
const unsignedServer = Effect.acquireRelease(
  Effect.promise(async () => {
    const directory = mkdtempSync(join(scratchRoot(), "holdfast-cert-"))
    const [key, certificate] = [join(directory, "key.pem"), join(directory, "cert.pem")]
    const ask = [
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:prime256v1",
      "-nodes",
      "-days",
      "1"
    ]
    execFileSync("openssl", [...ask, "-subj", "/CN=localhost", "-keyout", key, "-out", certificate], {
      stdio: "ignore"
    })
    const server = createTlsServer({ key: readFileSync(key), cert: readFileSync(certificate) })
    rmSync(directory, { recursive: true })
    server.on("tlsClientError", () => {})
    await new Promise<void>((settle) => server.listen(0, "127.0.0.1", settle))
    return server
  }),
  (server) => Effect.sync(() => server.close())
)

/** Fails for the first time and finds loopback afterwards. */
const lookupOnceBroken = (): LookupFunction => {
  let asked = 0
  return (hostname, options, callback) => {
    asked += 1
    if (asked > 1) {
      if (options.all === true) callback(null, [{ address: "127.0.0.1", family: 4 }])
      else callback(null, "127.0.0.1", 4)
      return
    }
    callback(Object.assign(new Error(`getaddrinfo ENOTFOUND ${hostname}`), { code: "ENOTFOUND" }), "")
  }
}

/** Where the first attempt goes; null: to the server. */
const firstAddress = (row: MatrixRow, port: number) =>
  Effect.gen(function* () {
    switch (row.special) {
      case "nothing listens":
        return "ws://127.0.0.1:1"
      case "name does not resolve":
        return `ws://localhost:${port}`
      case "TLS to a plain server":
        return `wss://127.0.0.1:${port}`
      case "certificate nobody signed": {
        const { port: tls } = (yield* unsignedServer).address() as AddressInfo
        return `wss://localhost:${tls}`
      }
      default:
        return null
    }
  })

const before = ["a", "b", "c", "d", "e"]
const meanwhile = ["gap-1", "gap-2"]
const after = ["again-1", "again-2"]

/** One row from its first connection to signals that flow again; what is asserted is what it returns. */
const play = (database: DatabaseService, row: MatrixRow, name: string) =>
  Effect.gen(function* () {
    const faults = row.faults.map((fault) => ({ ...fault, connection: 1 }))
    const serverScope = yield* Scope.make()
    let server = yield* Scope.provide(signalServer({ faults }), serverScope)
    yield* Effect.addFinalizer(() => Scope.close(serverScope, Exit.void))
    server.offer(offered(before))
    const first = yield* firstAddress(row, server.port)
    let attempts = 0
    const address = (): string => {
      attempts += 1
      if (attempts === 1) return first ?? server.url
      server.offer(offered(meanwhile))
      return row.special === "name does not resolve" ? `ws://localhost:${server.port}` : server.url
    }
    const options = row.special === "name does not resolve" ? { lookup: lookupOnceBroken() } : {}
    const { alerts, child, feed, tree } = yield* runningFeed(
      database,
      name,
      feedSettings(row.tune),
      address,
      options
    )
    const live = until("the feed is live", () => child().state === "Live")
    if (row.special === "we give it up") {
      yield* live
      feed.reconnect("a test")
    }
    if (row.kind === "no_signals") {
      yield* live
      // The first answer may have been the unasked one; this one stays away.
      yield* Effect.exit(feed.requestSignals(5_000))
    }
    if (row.special === "server killed and started again") {
      yield* live
      const { port } = server
      // One that stops by itself says goodbye first.
      server.cut()
      yield* Scope.close(serverScope, Exit.void)
      server = yield* signalServer({}, port)
      server.offer(offered(before))
    }
    yield* until(`the connection ends by ${row.kind}`, () => child().detail["end_kind"] !== null)
    const end = child().detail
    const stored = (count: number) =>
      until(
        `${count} signals are stored`,
        Effect.fnUntraced(function* () {
          return (yield* storedIds(database, name)).length >= count
        })
      )
    yield* live
    yield* stored(before.length + meanwhile.length)
    server.publish(offered(after))
    yield* stored(before.length + meanwhile.length + after.length)
    const path = child().path
    return {
      end,
      alerts: alerts.map(({ kind }) => kind),
      transitions: tree.inspection.recent(path),
      ids: yield* storedIds(database, name),
      child: child()
    }
  }).pipe(Effect.scoped)

type Played = Effect.Success<ReturnType<typeof play>>

/** How late an attempt may be on a machine that does other things too. */
const slackMs = 10_000

const judge = (row: MatrixRow, { alerts, child, end, ids, transitions }: Played): void => {
  assert.strictEqual(end["end_kind"], row.kind, String(end["close_reason"]))
  if (row.code !== null || row.kind === "closed") assert.strictEqual(end["close_code"], row.code)
  assert.isAbove(String(end["close_reason"]).length, 0)

  const state = row.kind === "credentials" ? "CredentialRefused" : "BackingOff"
  if (row.kind !== "given_up") {
    const left = transitions.findIndex(({ from, to }) => from.startsWith("Session") && to.startsWith(state))
    assert.isAtLeast(left, 0, `never in ${state}`)
    const again = transitions.slice(left).find(({ to }) => to.startsWith("Session"))
    const waited = (again?.at ?? Number.POSITIVE_INFINITY) - (transitions[left]?.at ?? 0)
    const ceiling = row.kind === "credentials" ? 300 : 200
    assert.isBelow(waited, ceiling + slackMs, "the next attempt was late")
    if (row.kind === "credentials") assert.isAtLeast(waited, ceiling - 20, "the next attempt was early")
  }

  // Nothing lost, nothing twice, and nobody had to restart the component.
  assert.deepStrictEqual(ids.toSorted(), [...before, ...meanwhile, ...after].toSorted())
  assert.deepStrictEqual([child.state, child.restarts, child.detail["unusable"]], ["Live", 0, 0])
  if (row.alert !== null) assert.include(alerts, row.alert)
}

describe("every way a connection can end", () => {
  const scope = Scope.makeUnsafe()
  const results = new Map<string, Promise<Exit.Exit<Played, unknown>>>()

  beforeAll(async () => {
    const { database } = await Effect.runPromise(Scope.provide(openFreshDatabase({ poolSize: 6 }), scope))
    database.availability.mark("available")
    // Most of a row is waiting: many at once make the matrix short, and are the test that feeds live side by side.
    const places = Semaphore.makeUnsafe(16)
    rows.forEach((row, index) => {
      const played = places.withPermits(1)(play(database, row, `row-${index}`))
      results.set(row.name, Effect.runPromiseExit(played))
    })
  })
  afterAll(async () => {
    await Promise.all(results.values())
    await Effect.runPromise(Scope.close(scope, Exit.void))
  })

  it("there are more than forty, each with a name of its own", () => {
    assert.isAbove(rows.length, 40)
    assert.strictEqual(new Set(rows.map(({ name }) => name)).size, rows.length)
  })

  it("docs/reconnect-matrix.md is the table of these rows", () => {
    assert.strictEqual(
      readFileSync(new URL("../../docs/reconnect-matrix.md", import.meta.url), "utf8"),
      documented
    )
  })

  it.each(rows.map((row) => [row.name, row] as const))(
    "%s",
    async (name, row) => {
      const exit = await results.get(name)
      if (exit === undefined) throw new Error("the row was not played")
      if (Exit.isFailure(exit)) throw new Error(String(exit.cause))
      judge(row, exit.value)
    },
    240_000
  )
})
