/**
 * One HTTP exchange with a venue, classified by the only question that matters for an order: did bytes leave?
 *
 * The usual clients retry, follow redirects and fold every failure into one error. An order needs the opposite:
 * one attempt, and the exact point where it broke. So the connection is made first, the permit is checked, and only then is
 * the request written, in one synchronous step.
 *
 * Promises: at most one request is written per call; the call ends within its deadline; `sent: false` means that not one
 * byte of the request was handed to a socket; a response is complete or it is a failure.
 * Never: retries (not even on a kept-alive connection that the venue closed), follows redirects, or reads a body beyond
 * `answerBytesMax`.
 * Failure: `ExchangeFailed` with `sent`; any status code is a response.
 */
import { Data, Effect } from "effect"
import { Agent, type ClientRequest, type IncomingMessage, request as httpRequest } from "node:http"
import { Agent as TlsAgent, request as httpsRequest } from "node:https"
import type { Socket } from "node:net"
import type { Scope } from "effect"
import { brokerLimits } from "./broker-limits.ts"

export interface Reply {
  readonly status: number
  readonly text: string
}

export class ExchangeFailed extends Data.TaggedError("ExchangeFailed")<{
  /** False only when it is certain that nothing of the request left this process. */
  readonly sent: boolean
  readonly reason: string
  readonly cause?: unknown
}> {}

export interface ExchangeRequest {
  readonly method: "GET" | "POST" | "DELETE"
  readonly url: URL
  /** JSON text, or null for no body. */
  readonly body: string | null
  readonly deadlineMs: number
  /** Called right before the write; false ends the exchange with nothing sent. */
  readonly permit: () => boolean
}

export type Exchange = (request: ExchangeRequest) => Effect.Effect<Reply, ExchangeFailed>

/** How far one exchange has come; read by whoever ends it. */
interface Progress {
  sent: boolean
}

type Settle = (outcome: Effect.Effect<Reply, ExchangeFailed>) => void

const collect = (
  response: IncomingMessage,
  settle: Settle,
  fail: (reason: string, cause?: unknown) => void
): void => {
  const chunks: Array<Buffer> = []
  let size = 0
  response.on("data", (chunk: Buffer) => {
    size += chunk.length
    if (size > brokerLimits.answerBytesMax) {
      fail(`the answer is longer than ${brokerLimits.answerBytesMax} bytes`)
      response.destroy()
      return
    }
    chunks.push(chunk)
  })
  response.on("end", () => {
    if (!response.complete) return fail("the answer was cut off")
    const reply = { status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString("utf8") }
    // The agent takes its socket back in the tick after this event; a caller that asks again at once would otherwise
    // open a second connection (measured: one per request in a sequence).
    process.nextTick(() => settle(Effect.succeed(reply)))
  })
  response.on("error", (error) => fail("the answer was cut off", error))
}

/** Writes the request as soon as its socket is connected, if it still may be written. */
const writeWhenConnected = (
  outgoing: ClientRequest,
  request: ExchangeRequest,
  progress: Progress,
  fail: (reason: string, cause?: unknown) => void
): void => {
  const write = (): void => {
    if (outgoing.destroyed) return
    if (!request.permit()) {
      fail("the permit to send is gone")
      outgoing.destroy()
      return
    }
    progress.sent = true
    outgoing.end(request.body ?? undefined)
  }
  outgoing.on("socket", (socket: Socket) => {
    if (socket.connecting) socket.once(request.url.protocol === "https:" ? "secureConnect" : "connect", write)
    else write()
  })
}

const start = (
  request: ExchangeRequest,
  agents: { readonly plain: Agent; readonly tls: TlsAgent },
  progress: Progress,
  settle: Settle
): ClientRequest => {
  const fail = (reason: string, cause?: unknown): void =>
    settle(Effect.fail(new ExchangeFailed({ sent: progress.sent, reason, cause })))
  const body = request.body
  const headers = {
    accept: "application/json",
    ...(body === null
      ? {}
      : { "content-type": "application/json", "content-length": Buffer.byteLength(body) })
  }
  const outgoing =
    request.url.protocol === "https:"
      ? httpsRequest(request.url, { method: request.method, headers, agent: agents.tls })
      : httpRequest(request.url, { method: request.method, headers, agent: agents.plain })
  outgoing.on("response", (response) => collect(response, settle, fail))
  outgoing.on("error", (error: NodeJS.ErrnoException) => fail(error.code ?? error.message, error))
  // The first settlement wins; this one counts only when nothing else settled it.
  outgoing.on("close", () => process.nextTick(() => fail("the connection closed before the answer")))
  writeWhenConnected(outgoing, request, progress, fail)
  return outgoing
}

/** Builds the exchange with connections of its own, kept alive between calls and closed with the scope. */
export const makeExchange: Effect.Effect<Exchange, never, Scope.Scope> = Effect.gen(function* () {
  const agents = yield* Effect.acquireRelease(
    Effect.sync(() => ({
      plain: new Agent({ keepAlive: true, maxSockets: brokerLimits.socketsMax, scheduling: "lifo" }),
      tls: new TlsAgent({ keepAlive: true, maxSockets: brokerLimits.socketsMax, scheduling: "lifo" })
    })),
    ({ plain, tls }) =>
      Effect.sync(() => {
        plain.destroy()
        tls.destroy()
      })
  )
  return (request) =>
    Effect.suspend(() => {
      const progress: Progress = { sent: false }
      return Effect.callback<Reply, ExchangeFailed>((resume) => {
        const outgoing = start(request, agents, progress, resume)
        return Effect.sync(() => void outgoing.destroy())
      }).pipe(
        Effect.timeoutOrElse({
          duration: request.deadlineMs,
          orElse: () =>
            Effect.fail(
              new ExchangeFailed({ sent: progress.sent, reason: `no answer within ${request.deadlineMs} ms` })
            )
        })
      )
    })
})
