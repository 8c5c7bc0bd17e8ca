/**
 * Sessions of the console: the control token exchanged for a cookie a page cannot read (T16).
 *
 * A page that kept the token itself would expose it to any script that ever runs in it. So the page presents the token once and
 * gets a session: an HttpOnly cookie, which scripts cannot read, and a CSRF token, which pages of other origins cannot.
 * Sessions live in memory and not in a signed cookie: a logout then really ends one, and so does a restart.
 *
 * Promises: names and CSRF tokens are compared in constant time over digests; sessions are bounded in number and expire by
 * themselves; a session becomes invalid once the token it was issued for changes.
 * Never: stores or prints the control token, or a session's name in clear text.
 * Failure: a cookie that cannot be read is no session.
 */
import { createHash } from "node:crypto"
import type { EntropyService } from "../platform/entropy.port.ts"
import { sessionLimits } from "../platform/http-limits.ts"
import { equalSecrets } from "./http.authentication.ts"

export interface Session {
  readonly csrfToken: string
  readonly expiresAtMs: number
}

export interface SessionsService {
  /** A new session; `name` is what the cookie carries. */
  readonly open: (nowMs: number) => Session & { readonly name: string }
  /** The session of a name, null when there is none or it has ended. */
  readonly find: (name: string, nowMs: number) => Session | null
  readonly end: (name: string) => void
}

// Looked up by its digest: how long a look-up takes reveals nothing about the names that exist.
const keyOf = (name: string): string => createHash("sha256").update(name).digest("hex")

/** The sessions of one process. */
export const makeSessions = (entropy: EntropyService): SessionsService => {
  const secret = (): string => Buffer.from(entropy.bytes(sessionLimits.secretBytes)).toString("base64url")
  // In the order of creation, which is the order of expiry.
  const sessions = new Map<string, Session>()
  const forgetOver = (nowMs: number): void => {
    for (const [key, { expiresAtMs }] of sessions) {
      if (expiresAtMs > nowMs && sessions.size <= sessionLimits.sessionsMax) return
      sessions.delete(key)
    }
  }
  return {
    open: (nowMs) => {
      const name = secret()
      const session: Session = { csrfToken: secret(), expiresAtMs: nowMs + sessionLimits.lifeMs }
      sessions.set(keyOf(name), session)
      forgetOver(nowMs)
      return { name, ...session }
    },
    find: (name, nowMs) => {
      const session = sessions.get(keyOf(name))
      return session !== undefined && session.expiresAtMs > nowMs ? session : null
    },
    end: (name) => void sessions.delete(keyOf(name))
  }
}

/** Whether a request repeats the CSRF token of its session. */
export const repeatsCsrfToken = (session: Session, given: unknown): boolean =>
  typeof given === "string" && equalSecrets(given, session.csrfToken)

/**
 * What tells the cookie of an installation from those of others: cookies know no ports, and two hosts behind one name may use the same
 * one. The node is no secret, but nobody's business either.
 */
export const cookieMark = (nodeId: string): string =>
  createHash("sha256").update(`cookie of ${nodeId}`).digest("hex").slice(0, 12)

const cookieName = (mark: string): string => `holdfast_session_${mark}`

/** The session's name in a Cookie header. */
export const sessionNameIn = (cookies: string | undefined, mark: string): string | null => {
  const wanted = `${cookieName(mark)}=`
  const found = (cookies ?? "")
    .split(";")
    .map((cookie) => cookie.trim())
    .find((cookie) => cookie.startsWith(wanted))
  return found === undefined || found.length === wanted.length ? null : found.slice(wanted.length)
}

/**
 * The Set-Cookie of a session, or of its end. `secure` when the page came over TLS, which only a proxy in front of us can
 * provide; with it a browser would withhold the cookie from plain loopback.
 */
export const sessionCookie = (mark: string, name: string | null, secure: boolean): string =>
  [
    `${cookieName(mark)}=${name ?? ""}`,
    "Path=/",
    `Max-Age=${name === null ? 0 : sessionLimits.lifeMs / 1_000}`,
    "HttpOnly",
    "SameSite=Strict",
    ...(secure ? ["Secure"] : [])
  ].join("; ")
