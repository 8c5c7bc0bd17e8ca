/** node:http and `pg`, one INSERT per post: what one writes without a library. With `batch` in the arguments: one INSERT for all that wait. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { answerOf, INSERT, INSERT_MANY, openPool, ready, type Row, rowOf } from "./door.ts"

const isBatching = process.argv.includes("batch")
const pool = await openPool()

type Waiting = { readonly row: Row; readonly done: (status: number) => void }
const waiting: Array<Waiting> = []
let busy = false

/** The commit before it sets the size of a batch. */
const drain = async (): Promise<void> => {
  if (busy) return
  busy = true
  while (waiting.length > 0) {
    const batch = waiting.splice(0, 500)
    try {
      const rows = batch.map(({ row }) => row)
      const values = [
        rows.map(({ id }) => id),
        rows.map(({ symbol }) => symbol),
        rows.map(({ body }) => body)
      ]
      await pool.query({ name: "many", text: INSERT_MANY, values })
      for (const { done } of batch) done(201)
    } catch {
      for (const { done } of batch) done(503)
    }
  }
  busy = false
}

const insert = async (row: Row, done: (status: number) => void): Promise<void> => {
  let status = 201
  try {
    await pool.query({ name: "one", text: INSERT, values: [row.id, row.symbol, row.body] })
  } catch {
    status = 503
  }
  done(status)
}

const store = (row: Row, done: (status: number) => void): void => {
  if (isBatching) {
    waiting.push({ row, done })
    void drain()
    return
  }
  void insert(row, done)
}

const end = (response: ServerResponse, status: number, text: string): void => {
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text)
  })
  response.end(text)
}

const take = (request: IncomingMessage, response: ServerResponse): void => {
  const parts: Array<Buffer> = []
  request.on("data", (part: Buffer) => parts.push(part))
  request.on("end", () => {
    const row = rowOf(Buffer.concat(parts), request.headers["x-webhook-signature"])
    if (typeof row === "number") return end(response, row, "{}")
    store(row, (status) => end(response, status, status === 201 ? answerOf(row) : "{}"))
  })
}

const server = createServer(take)
server.listen(0, "127.0.0.1", () => ready((server.address() as AddressInfo).port))
