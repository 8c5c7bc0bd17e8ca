/**
 * One HTTP exchange, and one wait: what every test that talks to a real process needs.
 *
 * Promises: each exchange uses a connection of its own unless an agent is given, so that a server that was killed in
 * between is never reached through an old socket; every wait has a deadline and reports what it last saw.
 * Never: sends again, or sleeps for a guess.
 */
import { type Agent, request } from "node:http"
import { setTimeout as pause } from "node:timers/promises"

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
  readonly text: string
  // oxlint-disable-next-line typescript/no-explicit-any -- a judge reads answers of unknown shape field by field
  readonly body: any
}

export interface ExchangeOptions {
  readonly headers?: Readonly<Record<string, string>>
  readonly method?: string
  readonly agent?: Agent
  readonly deadlineMs?: number
}

/** Waits until `look` answers something other than `undefined`, at most `deadlineMs` milliseconds: by default what a busy machine needs. */
export const waitUntil = async <A>(
  what: string | (() => string),
  look: () => Promise<A | undefined> | A | undefined,
  deadlineMs = 60_000
): Promise<A> => {
  const end = performance.now() + deadlineMs
  let last: unknown = "none"
  while (performance.now() < end) {
    try {
      const found = await look()
      if (found !== undefined) return found
    } catch (error) {
      last = error
    }
    await pause(25)
  }
  const wanted = typeof what === "string" ? what : what()
  throw new Error(`waited ${deadlineMs} ms for ${wanted}; last error: ${String(last)}`)
}

const payloadOf = (body: unknown): string | Buffer | undefined => {
  if (body === undefined || typeof body === "string" || Buffer.isBuffer(body)) return body
  return JSON.stringify(body)
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    // Metrics and errors of proxies are not JSON; `text` has them.
    return null
  }
}

/** One exchange; a string body is sent as it is, anything else as JSON. `deadlineMs` covers the whole of it. */
export const exchange = (url: string, body: unknown, options: ExchangeOptions = {}): Promise<Answer> =>
  new Promise((settle, reject) => {
    const payload = payloadOf(body)
    const deadlineMs = options.deadlineMs ?? 10_000
    const outgoing = request(
      url,
      {
        method: options.method ?? (payload === undefined ? "GET" : "POST"),
        headers: {
          ...(payload === undefined
            ? {}
            : { "content-type": "application/json", "content-length": Buffer.byteLength(payload) }),
          ...options.headers
        },
        agent: options.agent ?? false
      },
      (incoming) => {
        const chunks: Array<Buffer> = []
        incoming.on("data", (chunk: Buffer) => chunks.push(chunk))
        incoming.on("error", reject)
        incoming.on("end", () => {
          const text = Buffer.concat(chunks).toString("utf8")
          settle({ status: incoming.statusCode ?? 0, headers: incoming.headers, text, body: parsed(text) })
        })
      }
    )
    const late = setTimeout(
      () => outgoing.destroy(new Error(`no answer from ${url} within ${deadlineMs} ms`)),
      deadlineMs
    )
    outgoing.on("close", () => clearTimeout(late))
    outgoing.on("error", reject)
    outgoing.end(payload)
  })
