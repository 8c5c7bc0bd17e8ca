/**
 * What is at the other end of a sink: a web server that answers as it is told, and a mail server that takes what it is sent.
 *
 * Promises: loopback only; every request and every mail is kept in the order in which it came; the port stays the same when it is
 * closed and opened again.
 * Never: sleeps.
 */
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from "node:http"
import { type AddressInfo, createServer as createSocketServer, type Server as SocketServer } from "node:net"

import { keptPort } from "./kept-port.ts"

export interface Received {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly text: string
  readonly atMs: number
}

/** `hang`: no answer ever comes. */
export type Answer = { readonly status: number; readonly headers?: Readonly<Record<string, string>> } | "hang"

export class Receiver {
  readonly received: Array<Received> = []
  readonly #answers = new Map<string, ReadonlyArray<Answer>>()
  readonly #hanging = new Set<ServerResponse>()
  #server: Server
  #port = 0

  private constructor() {
    this.#server = this.#made()
  }
  static async open(): Promise<Receiver> {
    const receiver = new Receiver()
    await receiver.listen()
    return receiver
  }
  #made(): Server {
    return createServer((request, response) => {
      const chunks: Array<Buffer> = []
      request.on("data", (chunk: Buffer) => chunks.push(chunk))
      request.on("end", () => {
        this.received.push({
          method: request.method ?? "",
          path: request.url ?? "",
          headers: request.headers,
          text: Buffer.concat(chunks).toString("utf8"),
          atMs: Date.now()
        })
        const [answer = { status: 204 }, ...later] = this.#answers.get(request.url ?? "") ?? []
        this.#answers.set(request.url ?? "", later)
        if (answer === "hang") this.#hanging.add(response)
        else response.writeHead(answer.status, answer.headers).end()
      })
    })
  }
  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }
  /** The answers to come at a path, the next first; afterwards all is well there. */
  next(path: string, ...answers: ReadonlyArray<Answer>): void {
    this.#answers.set(path, answers)
  }
  /** What came at a path. */
  at(path: string): ReadonlyArray<Received> {
    return this.received.filter((one) => one.path === path)
  }
  async listen(): Promise<void> {
    if (this.#port === 0) this.#port = await keptPort()
    this.#server = this.#made()
    await new Promise<void>((settle, reject) => {
      this.#server.once("error", reject)
      this.#server.listen(this.#port, "127.0.0.1", settle)
    })
  }
  async close(): Promise<void> {
    for (const response of this.#hanging) response.destroy()
    this.#hanging.clear()
    this.#server.closeAllConnections()
    await new Promise<void>((settle) => void this.#server.close(() => settle()))
  }
}

export interface Mail {
  readonly from: string
  readonly to: ReadonlyArray<string>
  readonly user: string | null
  readonly text: string
}

/** The least of SMTP: one command after the other, a mail up to its point. */
export class MailServer {
  readonly mails: Array<Mail> = []
  /** The reply to the text of a mail instead of 250, while it is not empty. */
  readonly refusals: Array<string> = []
  readonly #server: SocketServer

  private constructor() {
    this.#server = createSocketServer((socket) => {
      let rest = ""
      let text: Array<string> | null = null
      let mail = { from: "", to: [] as Array<string>, user: null as string | null }
      const say = (line: string) => void socket.write(`${line}\r\n`)
      const take = (line: string): void => {
        if (text !== null) {
          if (line !== ".") return void text.push(line.replace(/^\.\./, "."))
          const refusal = this.refusals.shift()
          if (refusal === undefined) this.mails.push({ ...mail, text: text.join("\n") })
          text = null
          return say(refusal ?? "250 taken")
        }
        const [word = "", ...words] = line.split(" ")
        switch (word.toUpperCase()) {
          case "EHLO":
            say("250-localhost")
            return say("250 AUTH PLAIN")
          case "AUTH":
            mail = {
              ...mail,
              user:
                Buffer.from(words[1] ?? "", "base64")
                  .toString("utf8")
                  .split("\0")[1] ?? ""
            }
            return say("235 welcome")
          case "MAIL":
            mail = { ...mail, from: /<(.*?)>/.exec(line)?.[1] ?? "", to: [] }
            return say("250 go on")
          case "RCPT":
            mail.to.push(/<(.*?)>/.exec(line)?.[1] ?? "")
            return say("250 go on")
          case "DATA":
            text = []
            return say("354 go on")
          case "QUIT":
            say("221 bye")
            return void socket.end()
          default:
            return say("250 fine")
        }
      }
      socket.on("error", () => undefined)
      socket.on("data", (chunk: Buffer) => {
        const lines = (rest + chunk.toString("utf8")).split("\r\n")
        rest = lines.pop() ?? ""
        for (const line of lines) take(line)
      })
      say("220 localhost")
    })
  }
  static async open(): Promise<MailServer> {
    const server = new MailServer()
    await new Promise<void>((settle) => void server.#server.listen(0, "127.0.0.1", settle))
    return server
  }
  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }
  async close(): Promise<void> {
    await new Promise<void>((settle) => void this.#server.close(() => settle()))
  }
}
