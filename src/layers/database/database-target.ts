/**
 * Database target: where PostgreSQL is, in one of two forms.
 *
 * The embedded server is a unix socket under DATA_DIR; anything else is a URL. Both end as the same few options of the
 * client plus a function that opens the socket, because we open sockets ourselves (see database.socket.ts).
 *
 * Promises: pure; a malformed URL is a typed value, found before anything connects.
 * Never: opens a connection, or prints a password (URLs stay `Redacted`).
 */
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Data from "effect/Data"

export class DatabaseUrlInvalid extends Data.TaggedError("DatabaseUrlInvalid")<{ readonly reason: string }> {}

/** A server behind `<directory>/.s.PGSQL.<port>`, trusting whoever can enter the directory. */
export interface SocketTarget {
  readonly _tag: "Socket"
  readonly directory: string
  readonly port: number
  readonly user: string
  readonly database: string
}
export interface UrlTarget {
  readonly _tag: "Url"
  readonly url: Redacted.Redacted
}
export type DatabaseTarget = SocketTarget | UrlTarget

/** Where the socket of a target is: a path, or host and port. */
export type SocketAddress = { readonly path: string } | { readonly host: string; readonly port: number }

export const socketTarget = (directory: string, database: string, user = "holdfast"): SocketTarget => ({
  _tag: "Socket",
  directory,
  port: 5432,
  user,
  database
})

export const socketFile = (directory: string, port: number): string => `${directory}/.s.PGSQL.${port}`

const addressOf = (url: URL): SocketAddress => {
  // `?host=/dir` is libpq's way to name a unix socket in a URL; it wins over the authority, as in libpq.
  const host = url.searchParams.get("host") ?? decodeURIComponent(url.hostname.replace(/^\[(.*)\]$/, "$1"))
  const port = Number(url.searchParams.get("port") ?? (url.port === "" ? "5432" : url.port))
  if (host.startsWith("/")) return { path: socketFile(host, port) }
  return { host: host === "" ? "localhost" : host, port }
}

/** Checks `postgres://user:password@host:port/database?host=/socket/dir&sslmode=…`. The reason never repeats the URL. */
export const targetFromUrl = (url: Redacted.Redacted): Result.Result<UrlTarget, DatabaseUrlInvalid> => {
  const raw = Redacted.value(url)
  if (!URL.canParse(raw)) return Result.fail(new DatabaseUrlInvalid({ reason: "is not a URL" }))
  const parsed = new URL(raw)
  if (parsed.protocol !== "postgres:" && parsed.protocol !== "postgresql:") {
    return Result.fail(new DatabaseUrlInvalid({ reason: "must start with postgres:// or postgresql://" }))
  }
  const port = Number(parsed.searchParams.get("port") ?? (parsed.port === "" ? "5432" : parsed.port))
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    return Result.fail(new DatabaseUrlInvalid({ reason: "has a port outside 1..65535" }))
  }
  return Result.succeed({ _tag: "Url", url })
}

/** The address the client's sockets connect to. */
export const socketAddress = (target: DatabaseTarget): SocketAddress =>
  target._tag === "Socket"
    ? { path: socketFile(target.directory, target.port) }
    : addressOf(new URL(Redacted.value(target.url)))

/** The same server, another database: used by tests and by `CREATE DATABASE`. */
export const withDatabase = (target: DatabaseTarget, database: string): DatabaseTarget => {
  if (target._tag === "Socket") return { ...target, database }
  const url = new URL(Redacted.value(target.url))
  url.pathname = `/${encodeURIComponent(database)}`
  return { _tag: "Url", url: Redacted.make(url.href, { label: "DATABASE_URL" }) }
}

/** The target as a URL, for programs that take only DATABASE_URL. */
export const urlOf = (target: DatabaseTarget): Redacted.Redacted =>
  target._tag === "Url"
    ? target.url
    : Redacted.make(
        `postgres://${target.user}@localhost:${target.port}/${target.database}?host=${encodeURIComponent(target.directory)}`,
        { label: "DATABASE_URL" }
      )

/** For logs: where, without a password. */
export const describeTarget = (target: DatabaseTarget): string => {
  const address = socketAddress(target)
  return "path" in address ? `unix:${address.path}` : `tcp:${address.host}:${address.port}`
}
