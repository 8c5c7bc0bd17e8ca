/**
 * Plain HTTP in and out: a bounded JSON body, a JSON answer, and the marks by which a request asks for its own end.
 *
 * Promises: a body over the limit is refused without being kept; a client that disconnects ends the wait for its body; a
 * response is written at most once.
 * Never: knows a route.
 */
import { Clock, Effect } from "effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import { venueLimits } from "./options.ts"
import { Refusal, refusalStatus } from "./refusal.ts"

/** What a handler wants written. `raw` goes out as it is; `cut` destroys the connection instead of answering. */
export type Answer =
  | { readonly _tag: "json"; readonly status: number; readonly body: object }
  | { readonly _tag: "raw"; readonly status: number; readonly text: string }
  | { readonly _tag: "cut" }

export const json = (status: number, body: object): Answer => ({ _tag: "json", status, body })

export const refusalAnswer = (refusal: Refusal): Answer =>
  json(refusalStatus[refusal.code], { code: refusal.code, message: refusal.message })

/** Reads the whole body as text, at most `bodyBytesMax`. */
const readText = (request: IncomingMessage): Effect.Effect<string, Refusal> =>
  Effect.callback<string, Refusal>((resume) => {
    const chunks: Array<Buffer> = []
    let size = 0
    request.on("data", (chunk: Buffer) => {
      size += chunk.length
      if (size <= venueLimits.bodyBytesMax) chunks.push(chunk)
    })
    request.on("end", () => {
      resume(
        size > venueLimits.bodyBytesMax
          ? Effect.fail(
              new Refusal({ code: "body_too_large", message: `over ${venueLimits.bodyBytesMax} bytes` })
            )
          : Effect.succeed(Buffer.concat(chunks).toString("utf8"))
      )
    })
    request.on("error", (error) => {
      resume(Effect.fail(new Refusal({ code: "invalid_request", message: error.message })))
    })
  })

/** Reads the body as JSON; an empty body is `{}`. */
export const readJson = (request: IncomingMessage): Effect.Effect<unknown, Refusal> =>
  Effect.flatMap(readText(request), (text) =>
    Effect.try({
      try: (): unknown => (text === "" ? {} : JSON.parse(text)),
      catch: () => new Refusal({ code: "invalid_request", message: "the body is not JSON" })
    })
  )

/** Waits, but not for a client that has gone: a delayed response to nobody would only hold a slot. */
export const waitUnlessGone = (response: ServerResponse, ms: number): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    if (response.destroyed) resume(Effect.void)
    const gone = () => resume(Effect.void)
    response.once("close", gone)
    return Effect.sync(() => void response.off("close", gone))
  }).pipe(Effect.timeoutOption(ms), Effect.asVoid)

/** Writes the answer, once. */
export const write = (response: ServerResponse, answer: Answer): Effect.Effect<void> =>
  Effect.map(Clock.currentTimeMillis, (ms) => {
    if (answer._tag === "cut") {
      response.socket?.destroy()
      return
    }
    if (response.writableEnded || response.destroyed) return
    const text = answer._tag === "json" ? JSON.stringify(answer.body) : answer.text
    response.writeHead(answer.status, {
      "content-type": answer._tag === "json" ? "application/json" : "text/html",
      "content-length": Buffer.byteLength(text),
      date: new Date(ms).toUTCString()
    })
    response.end(text)
  })
