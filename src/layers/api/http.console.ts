/**
 * The console: its files, login and logout.
 *
 * Promises: login takes the control token as a bearer and returns a session (T16); logout ends the calling session; every
 * page carries a policy under which it can load from this service only, cannot be framed, and runs nothing inline.
 * Never: takes a token from a URL or a body, where logs and histories would keep it.
 * Failure: an unknown session counts as none; a wrong token is 401; a console that was not built is 503 with what helps.
 */
import { isoOf } from "../../domain/kernel/iso-time.ts"
import { Clock, Effect } from "effect"
import { consoleFile } from "./console-files.node.ts"
import type { HttpAccessService, Standing } from "./http.access.ts"
import type { Exchange } from "./http.exchange.ts"
import * as wire from "../../wire/console-endpoints.ts"
import { Refused, type Route, route } from "./http.route.ts"
import { sessionCookie, sessionNameIn } from "./http.session.ts"

/** What a page of ours may do in a browser. */
const pageHeaders = {
  "content-security-policy": [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "font-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'"
  ].join("; "),
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin"
}

/** A relative target, so that a path prefix in front of us is preserved. */
const toConsole = route(wire.toConsole, () =>
  Effect.succeed({
    status: 302,
    text: "the console is at console/\n",
    contentType: wire.toConsole.answers[302].text,
    headers: { location: "console/", ...pageHeaders }
  })
)

const notBuilt =
  "The console is not built. Run `npm run build` once, as a user who may write into the project.\n"

/** A file of the console; where it was not built, the words that help. */
const serve = (exchange: Exchange, name: string) =>
  Effect.gen(function* () {
    const { headers } = exchange.request
    const file = yield* consoleFile(name, {
      encodings: headers["accept-encoding"] ?? "",
      knows: headers["if-none-match"]
    })
    if (file === "missing") return yield* new Refused({ status: 404 })
    if (file === null)
      return { status: 503, text: notBuilt, contentType: "text/plain; charset=utf-8", headers: pageHeaders }
    return {
      status: file.bytes === null ? 304 : 200,
      text: file.bytes ?? "",
      contentType: file.contentType,
      headers: { ...file.headers, ...pageHeaders }
    }
  })

const isFolder = ({ request }: Exchange): boolean => /^[^?]*\/(\?|$)/.test(request.url ?? "")

const isSecurePage = ({ request }: Exchange): boolean =>
  request.headers.origin?.toLowerCase().startsWith("https://") === true

const sessionAnswer = (
  by: NonNullable<Standing["by"]>,
  session: { csrfToken: string; expiresAtMs: number } | null
) =>
  ({
    status: "ok",
    by,
    csrf_token: session?.csrfToken ?? null,
    expires_at: session === null ? null : isoOf(session.expiresAtMs)
  }) as const

/** The routes of this file. */
export const consoleRoutes = (access: HttpAccessService): ReadonlyArray<Route> => [
  toConsole,
  // The page's addresses are relative: without its slash, which the router strips, they would lead one folder too high.
  route(wire.consolePage, ({ exchange }) =>
    isFolder(exchange)
      ? serve(exchange, "index.html")
      : Effect.succeed({
          status: 302,
          text: "the console is at console/\n",
          contentType: wire.toConsole.answers[302].text,
          headers: { location: "console/", ...pageHeaders }
        })
  ),
  route(wire.consoleFile, ({ exchange, params }) => serve(exchange, params["file"] ?? "")),
  route(wire.getSession, ({ standing }) =>
    Effect.gen(function* () {
      if (standing.by === null) return yield* new Refused({ status: 401 })
      return {
        status: 200,
        json: sessionAnswer(standing.by, standing.by === "session" ? standing.session : null)
      }
    })
  ),
  route(wire.openSession, ({ exchange, standing }) =>
    Effect.gen(function* () {
      // A session must not prolong itself forever: the token is required again.
      if (standing.by !== "token") return yield* new Refused({ status: 401 })
      const session = access.sessions.open(yield* Clock.currentTimeMillis)
      return {
        status: 200,
        json: sessionAnswer("session", session),
        headers: { "set-cookie": sessionCookie(access.cookieMark(), session.name, isSecurePage(exchange)) }
      }
    })
  ),
  route(wire.endSession, ({ exchange }) =>
    Effect.sync(() => {
      const name = sessionNameIn(exchange.request.headers.cookie, access.cookieMark())
      if (name !== null) access.sessions.end(name)
      return {
        status: 200,
        json: { status: "ok" } as const,
        headers: { "set-cookie": sessionCookie(access.cookieMark(), null, isSecurePage(exchange)) }
      }
    })
  )
]
