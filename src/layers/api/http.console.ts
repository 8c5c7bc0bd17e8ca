/**
 * The console's entry: login, logout, and the placeholder page for the console.
 *
 * Promises: login takes the control token as a bearer and returns a session (T16); logout ends the calling session; every
 * page carries a policy under which it can load from this service only, cannot be framed, and runs nothing inline.
 * Never: takes a token from a URL or a body, where logs and histories would keep it.
 * Failure: an unknown session counts as none; a wrong token is 401.
 */
import { isoOf } from "../../domain/kernel/iso-time.ts"
import { Clock, Effect } from "effect"
import { type HttpAccessService, portOf, type Standing } from "./http.access.ts"
import type { Exchange } from "./http.exchange.ts"
import * as wire from "../../wire/endpoints.ts"
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

const page = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>holdfast</title></head>
<body>
<h1>holdfast</h1>
<p>The service runs. This version has no console pages yet.</p>
<ul>
<li><a href="../health">health</a></li>
<li><a href="../version">version</a></li>
<li><a href="../metrics">metrics</a></li>
<li><a href="../api/v1/signals">signals</a>, <a href="../api/v1/orders">orders</a>, <a href="../api/v1/positions">positions</a></li>
</ul>
</body>
</html>
`

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
  // The router strips a trailing slash.
  route(wire.consolePage, () =>
    Effect.succeed({
      status: 200,
      text: page,
      contentType: wire.consolePage.answers[200].text,
      headers: pageHeaders
    })
  ),
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
        headers: { "set-cookie": sessionCookie(portOf(exchange), session.name, isSecurePage(exchange)) }
      }
    })
  ),
  route(wire.endSession, ({ exchange }) =>
    Effect.sync(() => {
      const name = sessionNameIn(exchange.request.headers.cookie, portOf(exchange))
      if (name !== null) access.sessions.end(name)
      return {
        status: 200,
        json: { status: "ok" } as const,
        headers: { "set-cookie": sessionCookie(portOf(exchange), null, isSecurePage(exchange)) }
      }
    })
  )
]
