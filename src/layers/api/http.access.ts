/**
 * Who may read over HTTP, and who may control (T16).
 *
 * Two rights and three ways to get them. The control token, as a bearer or through a console session, gives both. A local caller in
 * practice mode, while no token is configured, has the first: it may read. Nothing else about a request counts.
 *
 * Promises: control requires the token in every mode; a POST with a cookie also requires the session's CSRF token; a credential that
 * is present and wrong is a refusal, even for a caller who could have read without one; secrets are compared in constant time.
 * Never: reveals which check failed; lets a page of another site use the cookie of its visitor.
 * Failure: while the token is not known yet (DATA_DIR is not held), nobody is refused for it: `unknown`, to be retried.
 */
import { Clock, Context, Effect, Layer } from "effect"
import type { Settings } from "../../domain/kernel/settings.ts"
import { Config } from "../platform/config.port.ts"
import { Instance } from "../platform/instance.port.ts"
import { ControlToken, type ControlTokenService } from "../platform/control-token.port.ts"
import { Entropy } from "../platform/entropy.port.ts"
import { equalSecrets } from "./http.authentication.ts"
import { callerOf, isLocalCaller, isSameSite } from "./http.caller.ts"
import type { Exchange } from "./http.exchange.ts"
import {
  makeSessions,
  repeatsCsrfToken,
  type Session,
  cookieMark,
  sessionNameIn,
  type SessionsService
} from "./http.session.ts"

/** What a request may do, and why. `forged`: a session without its CSRF token, which may still read. */
export type Standing =
  | { readonly may: "control"; readonly by: "token" }
  | { readonly may: "control" | "forged"; readonly by: "session"; readonly session: Session }
  | { readonly may: "read"; readonly by: "local" }
  | { readonly may: "nothing" | "unknown"; readonly by: null }

export interface HttpAccessService {
  readonly standingOf: (exchange: Exchange) => Standing
  readonly sessions: SessionsService
  /** Of this installation's cookie. */
  readonly cookieMark: () => string
}

interface Parts {
  readonly settings: Settings
  readonly token: ControlTokenService
  readonly sessions: SessionsService
  readonly cookieMark: () => string
  readonly nowMs: () => number
}

const nothing: Standing = { may: "nothing", by: null }

/** What follows the scheme; null under another one, which a proxy in front of us may use for itself. */
const bearerOf = (authorization = ""): string | null =>
  /^Bearer( |$)/i.test(authorization) ? authorization.slice("Bearer".length).trim() : null

const byBearer = (given: string, token: string | null): Standing => {
  if (token === null) return { may: "unknown", by: null }
  return equalSecrets(given, token) && given !== "" ? { may: "control", by: "token" } : nothing
}

const bySession = ({ cookieMark: mark, nowMs, sessions }: Parts, exchange: Exchange): Standing => {
  const { headers } = exchange.request
  const name = sessionNameIn(headers.cookie, mark())
  const session = name === null || !isSameSite(headers) ? null : sessions.find(name, nowMs())
  if (session === null) return nothing
  return {
    may: repeatsCsrfToken(session, headers["x-csrf-token"]) ? "control" : "forged",
    by: "session",
    session
  }
}

const makeAccess = (parts: Parts): HttpAccessService => ({
  sessions: parts.sessions,
  cookieMark: parts.cookieMark,
  standingOf: (exchange) => {
    const { request } = exchange
    const { settings } = parts
    const bearer = bearerOf(request.headers.authorization)
    if (bearer !== null) return byBearer(bearer, parts.token.current())
    const session = bySession(parts, exchange)
    if (session.may !== "nothing") return session
    return settings.mode === "PRACTICE" &&
      settings.secrets.admin === null &&
      isLocalCaller(callerOf(request), settings.corsOrigins)
      ? { may: "read", by: "local" }
      : nothing
  }
})

export class HttpAccess extends Context.Service<HttpAccess, HttpAccessService>()(
  "holdfast/layers/HttpAccess"
) {
  static readonly layer: Layer.Layer<HttpAccess, never, Config | ControlToken | Entropy | Instance> =
    Layer.effect(
      HttpAccess,
      Effect.gen(function* () {
        const clock = yield* Clock.Clock
        const instance = yield* Instance
        return makeAccess({
          settings: yield* Config,
          token: yield* ControlToken,
          sessions: makeSessions(yield* Entropy),
          // Before the node is known there is no control token either, so nobody has a session.
          cookieMark: () => cookieMark(instance.current()?.nodeId ?? ""),
          nowMs: () => clock.currentTimeMillisUnsafe()
        })
      })
    )
}
