/**
 * The Telegram stand-in as a server: the Bot API under `/bot<token>/<method>`, and `/control/…` for who plays the people.
 *
 * A bot cannot be tested against Telegram itself: no test may wait for its limits, revoke its token or take it down for an
 * hour. What is strict there is strict here, so that a bot that works with this works with that.
 *
 * Promises: listens on loopback; closing its scope destroys every connection and frees the port; the answer of a method is
 * that of the real API in status, code and words.
 * Never: stores anything beyond its life; logs a token.
 */
import { Data, Effect, type Scope } from "effect"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { Socket } from "node:net"
import { Bot } from "./bot.ts"
import { control } from "./control.ts"
import type { Deed } from "./faults.ts"
import { apiLimits, type StandInOptions, TOKEN_FORM } from "./options.ts"
import { ApiRefusal, notFound, tooMany, unauthorized } from "./refusal.ts"
import { parametersOf } from "./wire.ts"

/** The port could not be bound. */
export class ListenFailed extends Data.TaggedError("ListenFailed")<{
  readonly port: number
  readonly code: string
}> {}

export interface TelegramStandIn {
  /** What `TELEGRAM_API_ROOT` is set to. */
  readonly url: string
  readonly port: number
  readonly bot: Bot
  /** A token that is not valid is answered 401 from now on. */
  readonly revoke: (revoked: boolean) => void
}

const readBody = (request: IncomingMessage): Promise<string> =>
  new Promise((settle, fail) => {
    const chunks: Array<Buffer> = []
    let bytes = 0
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes <= apiLimits.bodyMax) chunks.push(chunk)
    })
    request.once("end", () =>
      bytes > apiLimits.bodyMax
        ? fail(new ApiRefusal({ code: 413, description: "Request Entity Too Large" }))
        : settle(Buffer.concat(chunks).toString("utf8"))
    )
    request.once("error", fail)
  })

const answer = (response: ServerResponse, status: number, body: object | string): void => {
  if (response.headersSent || response.destroyed) return
  response.writeHead(status, { "content-type": "application/json" })
  response.end(typeof body === "string" ? body : JSON.stringify(body))
}

const refusalBody = ({ code, description, parameters }: ApiRefusal): object => ({
  ok: false,
  error_code: code,
  description,
  ...(parameters === undefined ? {} : { parameters })
})

/** What a fault does instead of the usual; true when the usual is done all the same. */
const faulted = async (deed: Deed | null, response: ServerResponse): Promise<boolean> => {
  switch (deed?.type) {
    case "refuse":
      throw deed.retryAfter === null
        ? new ApiRefusal({ code: deed.code, description: deed.description })
        : tooMany(deed.retryAfter)
    case "hang":
      return false
    case "reset":
      response.socket?.resetAndDestroy()
      return false
    case "garbage":
      answer(response, 200, "<html>not the Bot API</html>")
      return false
    case "delay":
      await new Promise((settle) => setTimeout(settle, deed.ms))
      return true
    default:
      return true
  }
}

/** One call of the Bot API. Throws an `ApiRefusal`. */
const call = async (
  bot: Bot,
  isRevoked: boolean,
  path: string,
  query: URLSearchParams,
  request: IncomingMessage,
  response: ServerResponse
): Promise<void> => {
  const body = await readBody(request)
  const { method = "", token = "" } = /^\/bot(?<token>[^/]+)\/(?<method>\w+)$/.exec(path)?.groups ?? {}
  if (!TOKEN_FORM.test(token)) throw notFound
  if (isRevoked || token !== bot.options.token) throw unauthorized
  const name = method.toLowerCase()
  const run = bot.methods[name]
  if (run === undefined) throw notFound
  bot.calls.set(name, (bot.calls.get(name) ?? 0) + 1)
  const deed = bot.faults.take(method)
  if (!(await faulted(deed, response))) return
  if (name === "getupdates") response.once("close", () => response.writableFinished || bot.poll.gone())
  const result = await run(parametersOf(query, request.headers["content-type"] ?? "", body))
  if (deed?.type === "lose_answer") response.socket?.resetAndDestroy()
  else answer(response, 200, { ok: true, result })
}

const listening = (server: ReturnType<typeof createServer>, port: number) =>
  Effect.callback<number, ListenFailed>((resume) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      resume(Effect.fail(new ListenFailed({ port, code: error.code ?? error.message })))
    )
    server.listen(port, "127.0.0.1", () => {
      const address = server.address()
      resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : port))
    })
  })

/** Starts a stand-in on `port` (0: any free one); it lives as long as the scope. */
export const startTelegram = (
  options: StandInOptions,
  port = 0,
  now: () => number = Date.now
): Effect.Effect<TelegramStandIn, ListenFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const bot = new Bot(options, now)
    const sockets = new Set<Socket>()
    let isRevoked = false
    const revoke = (revoked: boolean): void => {
      isRevoked = revoked
    }
    const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
      const { pathname, searchParams } = new URL(request.url ?? "/", "http://stand-in")
      try {
        if (pathname.startsWith("/control/")) {
          const { body, status } = control({ bot, revoke }, pathname, searchParams, await readBody(request))
          return answer(response, status, body)
        }
        return await call(bot, isRevoked, pathname, searchParams, request, response)
      } catch (error) {
        const refusal =
          error instanceof ApiRefusal
            ? error
            : new ApiRefusal({ code: 500, description: "Internal Server Error" })
        return answer(response, refusal.code, refusalBody(refusal))
      }
    }
    const server = createServer((request, response) => void handle(request, response))
    server.on("connection", (socket) => {
      sockets.add(socket)
      socket.once("close", () => sockets.delete(socket))
      // A bot that disconnects is not an event of ours.
      socket.on("error", () => socket.destroy())
    })
    const bound = yield* Effect.acquireRelease(listening(server, port), () =>
      Effect.callback<void>((resume) => {
        bot.stop()
        server.close(() => resume(Effect.void))
        for (const socket of sockets) socket.destroy()
      })
    )
    return { url: `http://127.0.0.1:${bound}`, port: bound, bot, revoke }
  })
