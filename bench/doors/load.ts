/**
 * The sender of the benchmark, a process of its own: so many connections, each with one post after the other, every body another one.
 *
 * It writes HTTP/1.1 by hand and reads only what it must, because what the sender costs is taken from what is measured.
 *
 *     load.ts PORT CONNECTIONS WARM_MS MEASURED_MS
 *
 * Promises: one line of JSON: posts that were answered 2xx within the measured time, the others by status, quantiles in milliseconds,
 * and answers per 100 ms.
 */
import { createHmac, randomBytes } from "node:crypto"
import { connect } from "node:net"
import { quantile } from "../contestant.ts"

const [port = 0, connections = 1, warmMs = 0, measuredMs = 0] = process.argv.slice(2).map(Number)
const secret = process.env["BENCH_SECRET"] ?? ""
/** Longer than the pause of any scene; an end of the connection is met by another one. */
const answerMsMax = 10_000
const againMs = 50

const run = randomBytes(6).toString("hex")
let count = 0
const postOf = (): string => {
  count += 1
  const body = JSON.stringify({
    id: `${run}-${count}`,
    symbol: "SPY",
    action: "BUY",
    direction: "long",
    quantity: 1,
    timeframe: "5m",
    timestamp: new Date().toISOString(),
    strategy: "default",
    note: "a body of the usual size, as an alert of a charting service has it"
  })
  const signature = createHmac("sha256", secret).update(body).digest("hex")
  return `POST /webhook/bench HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\nx-webhook-signature: ${signature}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
}

const beganMs = performance.now()
const fromMs = beganMs + warmMs
const untilMs = fromMs + measuredMs
const took: Array<number> = []
const statuses: Record<string, number> = {}
const ticks: Array<number> = []
const note = (status: string, sentMs: number): void => {
  const nowMs = performance.now()
  if (nowMs < fromMs || nowMs > untilMs) return
  statuses[status] = (statuses[status] ?? 0) + 1
  if (!status.startsWith("2")) return
  took.push(nowMs - sentMs)
  const tick = Math.floor((nowMs - fromMs) / 100)
  ticks[tick] = (ticks[tick] ?? 0) + 1
}

/** One connection until the time is over. */
const send = (): Promise<void> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1")
    socket.setNoDelay(true)
    socket.setTimeout(answerMsMax, () => socket.destroy())
    let sentMs = 0
    let text = ""
    const next = (): void => {
      if (performance.now() >= untilMs) return void socket.destroy()
      text = ""
      sentMs = performance.now()
      socket.write(postOf())
    }
    socket.on("connect", next)
    socket.on("data", (bytes) => {
      text += bytes.toString("latin1")
      const head = text.indexOf("\r\n\r\n")
      if (head < 0) return
      const length = /content-length: (\d+)/i.exec(text.slice(0, head))
      const isWhole =
        length === null ? text.endsWith("0\r\n\r\n") : text.length >= head + 4 + Number(length[1])
      if (!isWhole) return
      note(text.slice(9, 12), sentMs)
      next()
    })
    socket.on("error", () => undefined)
    socket.on("close", () => {
      if (performance.now() >= untilMs) return resolve()
      note("cut", sentMs)
      setTimeout(() => resolve(send()), againMs)
    })
  })

await Promise.all(Array.from({ length: connections }, send))
const answered = Object.entries(statuses).reduce(
  (sum, [status, many]) => sum + (status.startsWith("2") ? many : 0),
  0
)
process.stdout.write(
  `${JSON.stringify({
    answered,
    perSecond: answered / (measuredMs / 1_000),
    statuses,
    p50Ms: quantile(took, 0.5),
    p99Ms: quantile(took, 0.99),
    ticks: Array.from(ticks, (many) => many ?? 0)
  })}\n`
)
process.exit(0)
