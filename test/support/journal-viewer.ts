/**
 * Viewers of the journal over real sockets, as a console and as curl are: WebSocket and server-sent events.
 *
 * Promises: what a viewer got is kept in its order; every wait has a deadline and names what was seen last.
 * Never: imports anything of `src`; what it understands is what the endpoints document.
 */
import { type ClientRequest, request } from "node:http"
import { WebSocket } from "ws"

/** An entry or another message, as parsed. Entries have `seq`. */
export type Message = Readonly<Record<string, unknown>> & { readonly type: string; readonly seq?: number }

export interface JournalViewer {
  readonly messages: Array<Message>
  /** Entries only. */
  readonly entries: () => ReadonlyArray<Message>
  readonly seqs: () => ReadonlyArray<number>
  /** Messages that are no entries, of a type. */
  readonly others: (type: string) => ReadonlyArray<Message>
  readonly until: (what: string, test: (viewer: JournalViewer) => boolean, ms?: number) => Promise<void>
  /** Stops and goes on reading from the socket. */
  readonly pause: () => void
  readonly resume: () => void
  /** How the stream ended: the close code, and 0 for server-sent events; undefined while it lasts. */
  readonly ended: () => { readonly code: number; readonly reason: string } | undefined
  readonly leave: () => void
  /** Sends a text frame. */
  readonly say: (text: string) => void
}

interface Target {
  readonly port: number
  readonly query?: string
  readonly headers?: Readonly<Record<string, string>>
}

const viewerOf = (socket: Pick<JournalViewer, "leave" | "pause" | "resume" | "say">) => {
  const messages: Array<Message> = []
  let over: { readonly code: number; readonly reason: string } | undefined
  const entries = (): ReadonlyArray<Message> => messages.filter(({ seq }) => seq !== undefined)
  const viewer: JournalViewer = {
    ...socket,
    messages,
    entries,
    seqs: () => entries().map(({ seq }) => seq ?? 0),
    others: (type) => messages.filter((message) => message.seq === undefined && message.type === type),
    ended: () => over,
    until: async (what, test, ms = 60_000) => {
      const end = performance.now() + ms
      while (!test(viewer)) {
        if (performance.now() > end) {
          const last = JSON.stringify(messages.slice(-3))
          throw new Error(`waited ${ms} ms for ${what}; ${messages.length} messages, the last ${last}`)
        }
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    }
  }
  return {
    viewer,
    end: (code: number, reason: string): void => {
      over ??= { code, reason }
    }
  }
}

/** A WebSocket that was refused: what the handshake was answered. */
export class HandshakeRefused extends Error {
  readonly status: number
  readonly body: string
  constructor(status: number, body: string) {
    super(`the handshake was answered ${status}: ${body}`)
    this.status = status
    this.body = body
  }
}

/** Opens `/api/v1/live`. */
export const watchLive = ({ headers = {}, port, query = "" }: Target): Promise<JournalViewer> =>
  new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/api/v1/live${query}`, {
      headers,
      perMessageDeflate: false
    })
    const { end, viewer } = viewerOf({
      leave: () => socket.terminate(),
      pause: () => socket.pause(),
      resume: () => socket.resume(),
      say: (text) => socket.send(text)
    })
    socket.on("message", (data: Buffer) => viewer.messages.push(JSON.parse(data.toString()) as Message))
    socket.once("open", () => resolve(viewer))
    socket.on("error", reject)
    socket.on("close", (code, reason) => end(code, reason.toString()))
    socket.once("unexpected-response", (_, response) => {
      const chunks: Array<Buffer> = []
      response.on("data", (chunk: Buffer) => chunks.push(chunk))
      response.on("end", () =>
        reject(new HandshakeRefused(response.statusCode ?? 0, Buffer.concat(chunks).toString()))
      )
    })
  })

/** What blocks of an event stream say; the rest that is no whole block yet. */
const readBlocks = (text: string, take: (message: Message) => void): string => {
  const blocks = text.split("\n\n")
  const rest = blocks.pop() ?? ""
  for (const block of blocks) {
    const fields = block.split("\n").filter((line) => !line.startsWith(":"))
    const data = fields.flatMap((line) => (line.startsWith("data: ") ? [line.slice(6)] : [])).join("\n")
    if (data === "") continue
    const message = JSON.parse(data) as Message
    const id = fields.find((line) => line.startsWith("id: "))?.slice(4)
    if (id !== undefined && Number(id) !== message.seq) throw new Error(`id ${id} of ${data}`)
    if ((id === undefined) !== (message.seq === undefined))
      throw new Error(`an entry without its id: ${block}`)
    take(message)
  }
  return rest
}

/** Opens `/api/v1/events` as a stream. */
export const watchEvents = ({ headers = {}, port, query = "" }: Target): Promise<JournalViewer> =>
  new Promise((resolve, reject) => {
    let asked: ClientRequest | undefined = undefined
    asked = request(
      {
        host: "127.0.0.1",
        port,
        path: `/api/v1/events${query}`,
        headers: { accept: "text/event-stream", ...headers },
        agent: false
      },
      (response) => {
        if (response.statusCode !== 200) {
          response.resume()
          reject(new HandshakeRefused(response.statusCode ?? 0, ""))
          return
        }
        const { end, viewer } = viewerOf({
          leave: () => asked?.destroy(),
          pause: () => response.pause(),
          resume: () => response.resume(),
          say: () => undefined
        })
        let rest = ""
        response.setEncoding("utf8")
        response.on("data", (text: string) => {
          rest = readBlocks(rest + text, (message) => viewer.messages.push(message))
        })
        response.on("error", () => end(0, "error"))
        response.on("close", () => end(0, ""))
        resolve(viewer)
      }
    )
    asked.on("error", reject)
    asked.end()
  })

/** The first number that does not follow the one before; null when all do. */
export const gapIn = (seqs: ReadonlyArray<number>): number | null =>
  seqs.find((seq, index) => index > 0 && seq !== (seqs[index - 1] ?? 0) + 1) ?? null
