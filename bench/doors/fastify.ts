/** Fastify 5 and `pg`, one INSERT per post, with a JSON schema as its documentation shows. */
import { createRequire } from "node:module"
import type { AddressInfo } from "node:net"
import { answerOf, INSERT, openPool, ready, rowOf } from "./door.ts"

interface Request {
  readonly body: Buffer
  readonly headers: Readonly<Record<string, string | undefined>>
}
interface Reply {
  readonly code: (status: number) => Reply
  readonly header: (name: string, value: string) => Reply
  readonly send: (body: unknown) => Reply
}
interface Instance {
  readonly server: { readonly address: () => AddressInfo }
  readonly addContentTypeParser: (
    type: string,
    options: { readonly parseAs: "buffer" },
    parser: (request: unknown, body: Buffer, done: (error: null, body: Buffer) => void) => void
  ) => void
  readonly post: (
    path: string,
    options: object,
    handler: (request: Request, reply: Reply) => Promise<unknown>
  ) => void
  readonly listen: (options: object) => Promise<string>
}
const library = "fastify"
const fastify = createRequire(import.meta.url)(library) as (options: object) => Instance

const pool = await openPool()
const app = fastify({ logger: false })
// The signature is of the raw bytes.
app.addContentTypeParser("application/json", { parseAs: "buffer" }, (_request, body, done) =>
  done(null, body)
)
const text = { type: "string" }
const answer = { type: "object", properties: { status: text, signal_id: text, request_id: text } }
app.post("/webhook/bench", { schema: { response: { 201: answer } } }, async (request, reply) => {
  const row = rowOf(request.body, request.headers["x-webhook-signature"])
  if (typeof row === "number") return reply.code(row).send({})
  await pool.query({ name: "one", text: INSERT, values: [row.id, row.symbol, row.body] })
  return reply.code(201).send(JSON.parse(answerOf(row)))
})
await app.listen({ port: 0, host: "127.0.0.1" })
ready(app.server.address().port)
