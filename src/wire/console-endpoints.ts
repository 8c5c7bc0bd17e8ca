/**
 * The endpoints of the console and its sessions, a part of the table in endpoints.ts.
 *
 * Promises: whatever a browser needs to show the console is open to everybody; what it then reads is not.
 * Never: handles anything.
 */
import { command, endpoint, get, list } from "./endpoint.ts"
import * as operations from "./operations.ts"

export const getSession = endpoint({
  ...list,
  path: "/api/v1/session",
  tag: "session",
  name: "getSession",
  summary: "Who asks, and the CSRF token of a session.",
  answers: { 200: operations.session }
})
export const openSession = endpoint({
  ...command,
  path: "/api/v1/session",
  tag: "session",
  name: "openSession",
  summary: "Exchanges the control token for a session of the console.",
  body: operations.emptyBody,
  answers: { 200: operations.session }
})
export const endSession = endpoint({
  ...command,
  path: "/api/v1/session/end",
  tag: "session",
  name: "endSession",
  summary: "Ends the session that asks.",
  body: operations.emptyBody,
  answers: { 200: operations.sessionEnded }
})
export const toConsole = endpoint({
  ...get,
  path: "/",
  access: "open",
  tag: "console",
  name: "toConsole",
  summary: "Redirects to the console.",
  answers: { 302: { text: "text/plain; charset=utf-8" } }
})
export const consolePage = endpoint({
  ...get,
  path: "/console",
  access: "open",
  tag: "console",
  name: "getConsole",
  summary: "The console.",
  answers: {
    200: { text: "text/html; charset=utf-8" },
    302: { text: "text/plain; charset=utf-8" },
    304: { text: "text/plain; charset=utf-8" },
    503: { text: "text/plain; charset=utf-8" }
  }
})
export const consoleFile = endpoint({
  ...get,
  path: "/console/:file",
  access: "open",
  tag: "console",
  name: "getConsoleFile",
  summary: "A script, style, font or chart of the console.",
  answers: {
    200: { text: "*/*" },
    304: { text: "text/plain; charset=utf-8" },
    503: { text: "text/plain; charset=utf-8" }
  }
})

export const consoleEndpoints = [getSession, openSession, endSession, toConsole, consolePage, consoleFile]
