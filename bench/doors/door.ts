/**
 * What every door of the benchmark does with a post, whoever wrote the server: check the signature of the raw body, read it, and have
 * a row for it. Only how it reaches the server and how it is committed differ.
 *
 * Promises: a peer answers 201 only after its commit, as ours; identity is that of the content, as ours.
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto"
import { createRequire } from "node:module"

export const SECRET = process.env["BENCH_SECRET"] ?? ""

export interface Row {
  readonly id: string
  readonly symbol: string
  readonly body: string
}

/** The row of a post, or the status that refuses it. */
export const rowOf = (body: Buffer, signature: unknown): Row | 400 | 401 => {
  const wanted = createHmac("sha256", SECRET).update(body).digest()
  const given = typeof signature === "string" ? Buffer.from(signature, "hex") : Buffer.alloc(0)
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) return 401
  try {
    const text = body.toString("utf8")
    const { quantity, symbol } = JSON.parse(text) as {
      readonly symbol?: unknown
      readonly quantity?: unknown
    }
    if (typeof symbol !== "string" || typeof quantity !== "number") return 400
    const digest = createHash("sha256").update(body).digest("hex")
    const id = `${digest.slice(0, 8)}-${digest.slice(8, 12)}-4${digest.slice(13, 16)}-8${digest.slice(17, 20)}-${digest.slice(20, 32)}`
    return { id, symbol, body: text }
  } catch {
    return 400
  }
}

export const answerOf = ({ id }: Row): string =>
  JSON.stringify({ status: "ACCEPTED", signal_id: id, request_id: id })

export const TABLE = `CREATE TABLE IF NOT EXISTS posts (id uuid PRIMARY KEY, seq bigint GENERATED ALWAYS AS IDENTITY,
  symbol text NOT NULL, body jsonb NOT NULL, status text NOT NULL DEFAULT 'received', received_at timestamptz NOT NULL DEFAULT now())`
export const INSERT = "INSERT INTO posts (id, symbol, body) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
export const INSERT_MANY =
  "INSERT INTO posts (id, symbol, body) SELECT * FROM unnest($1::uuid[], $2::text[], $3::jsonb[]) ON CONFLICT DO NOTHING"

/** The few functions of `pg` that are used; it is installed below bench/, so the compiler does not know it. */
export interface PgPool {
  readonly query: (
    query: string | { readonly name: string; readonly text: string; readonly values: ReadonlyArray<unknown> },
    values?: ReadonlyArray<unknown>
  ) => Promise<unknown>
}
const library = "pg"

/** As many connections as the service has. */
export const openPool = async (): Promise<PgPool> => {
  const { Pool } = createRequire(import.meta.url)(library) as {
    readonly Pool: new (options: object) => PgPool
  }
  const pool = new Pool({ connectionString: process.env["DATABASE_URL"], max: 10 })
  await pool.query(TABLE)
  return pool
}

/** Told to the benchmark, which then begins. */
export const ready = (port: number): void => {
  process.stdout.write(`port ${port}\n`)
}
