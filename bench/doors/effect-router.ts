/** Effect's router and its client for PostgreSQL, one INSERT per post: what one writes with the library that the service is built on. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as PgClient from "@effect/sql-pg/PgClient"
import { Effect, Layer, Redacted } from "effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import { SqlClient } from "effect/sql/SqlClient"
import { answerOf, ready, type Row, rowOf, TABLE } from "./door.ts"

const store = ({ body, id, symbol }: Row) =>
  Effect.flatMap(
    SqlClient,
    (sql) =>
      sql`INSERT INTO posts (id, symbol, body) VALUES (${id}::uuid, ${symbol}, ${body}::jsonb) ON CONFLICT DO NOTHING`
  )

const post = HttpRouter.add(
  "POST",
  "/webhook/bench",
  Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const row = rowOf(Buffer.from(yield* request.arrayBuffer), request.headers["x-webhook-signature"])
    if (typeof row === "number") return HttpServerResponse.text("{}", { status: row })
    yield* store(row)
    return HttpServerResponse.text(answerOf(row), { status: 201, contentType: "application/json" })
  }).pipe(Effect.orDie)
)

const server = createServer()
server.on("listening", () => ready((server.address() as AddressInfo).port))
const database = PgClient.layer({ url: Redacted.make(process.env["DATABASE_URL"] ?? ""), maxConnections: 10 })
const table = Layer.effectDiscard(Effect.flatMap(SqlClient, (sql) => sql.unsafe(TABLE)))
const app = HttpRouter.serve(post, { disableLogger: true, disableListenLog: true }).pipe(
  Layer.provide(NodeHttpServer.layer(() => server, { port: 0, host: "127.0.0.1" })),
  Layer.provide(table),
  Layer.provide(database)
)
Effect.runFork(Layer.launch(app))
