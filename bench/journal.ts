/**
 * What the journal costs the loop that trades: a thousand transitions a second, recorded, and watched by fifty viewers.
 *
 *     sh scripts/node.sh bench/journal.ts [--rounds 3] [--seconds 5] [--rate 1000] [--viewers 50] [--json FILE]
 *
 * Three processes, one after the other in each round: machines alone, with the journal and nobody who looks, and with viewers
 * (half of them WebSockets, half server-sent events, in a process of their own, filters off, details captured). What is compared is
 * the CPU time that each takes for the same events at the same rate, as a share of the one core that a loop can use: time on
 * the clock would measure what else the machine does. Memory is the resident size at the end.
 */
import { type ChildProcess, fork } from "node:child_process"
import { writeFileSync } from "node:fs"
import { createServer, request } from "node:http"
import type { AddressInfo, Socket } from "node:net"
import { parseArgs } from "node:util"
import { Effect } from "effect"
import { WebSocket, WebSocketServer } from "ws"
import { assign, setup } from "xstate"
import { Shedding } from "../src/layers/platform/shedding.port.ts"
import { captureWhileWatched, recordReports, recordTransitions } from "../src/actors/health/journal-record.ts"
import { LiveHub } from "../src/layers/api/live.hub.ts"
import { eventStreamSink, type SinkEvents, webSocketSink } from "../src/layers/api/live.sinks.ts"
import type { Sink } from "../src/layers/api/live.viewer.ts"
import { Journal, type JournalService } from "../src/layers/platform/journal.port.ts"
import { makeJournal } from "../src/layers/platform/journal.ring.ts"
import { supervisor, worker } from "../src/runtime/child-spec.ts"
import { machineChild } from "../src/runtime/machine-child.ts"
import { startTree } from "../src/runtime/supervisor.ts"
import { median } from "./contestant.ts"

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "5" },
    rate: { type: "string", default: "1000" },
    viewers: { type: "string", default: "50" },
    json: { type: "string" },
    role: { type: "string", default: "parent" },
    port: { type: "string", default: "0" }
  }
})
const [rounds, seconds, rate, viewers] = [values.rounds, values.seconds, values.rate, values.viewers].map(
  Number
) as [number, number, number, number]
const boot = "b0000000-0000-4000-8000-000000000000"
const kinds = ["bare", "recorded", "watched"] as const
type Kind = (typeof kinds)[number]

interface Figures {
  /** CPU time of all threads by time on the clock. */
  readonly cpuShare: number
  readonly rssMb: number
  readonly entries: number
  /** Entries all viewers together got. */
  readonly delivered: number
}

const machine = setup({
  types: {
    events: {} as { readonly type: "order.acked"; readonly correlationId: string },
    context: {} as { readonly attempt: number; readonly lastError: string | null }
  },
  guards: { isOurs: () => true }
}).createMachine({
  id: "account",
  initial: "Idle",
  context: { attempt: 0, lastError: null },
  on: {
    "order.acked": {
      guard: "isOurs",
      actions: assign({ attempt: ({ context }) => context.attempt + 1 })
    }
  },
  states: { Idle: {} }
})

/** Stores nothing, as a database that is quick: what waits is taken and settled, its text is made. */
const storeInto = (journal: JournalService): (() => void) => {
  const timer = setInterval(() => {
    for (let batch = journal.take(256); batch.length > 0; batch = journal.take(256)) {
      JSON.stringify(batch)
      journal.settle(batch.at(-1)?.seq ?? 0)
    }
  }, 500)
  return () => clearInterval(timer)
}

const listen = async (hub: LiveHub): Promise<{ readonly port: number; readonly close: () => void }> => {
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, clientTracking: false })
  const enter = (sinkOf: (events: SinkEvents) => Sink): void => {
    let viewer: ReturnType<LiveHub["open"]> = null
    const sink = sinkOf({ drained: () => viewer?.drained(), gone: () => viewer?.gone() })
    const filter = { path: null, types: null }
    viewer = hub.open({ sink, filter, after: null, allowed: () => true, run: () => () => undefined })
  }
  const server = createServer((_, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" })
    enter((events) => eventStreamSink(response, events))
  })
  server.on("upgrade", (request, socket: Socket, head) =>
    sockets.handleUpgrade(request, socket, head, (client) =>
      enter((events) => webSocketSink(client, socket, events))
    )
  )
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return { port: (server.address() as AddressInfo).port, close: () => server.closeAllConnections() }
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** The next message of a process. */
const message = (child: ChildProcess): Promise<unknown> =>
  new Promise((resolve, reject) => {
    child.once("message", resolve)
    child.once("exit", (code) => reject(new Error(`a process of the benchmark ended with ${code}`)))
  })

/** Sends events at the rate for so long; the share of a core that it took. */
const work = async (send: (at: number) => void): Promise<number> => {
  const from = process.cpuUsage()
  const start = performance.now()
  for (let sent = 0; sent < seconds * rate;) {
    const due = Math.min(seconds * rate, Math.floor(((performance.now() - start) * rate) / 1_000))
    for (; sent < due; sent += 1) send(sent)
    await wait(5)
  }
  const { system, user } = process.cpuUsage(from)
  return (user + system) / 1_000 / (performance.now() - start)
}

const service = (kind: Kind) =>
  Effect.gen(function* () {
    const journal = makeJournal(boot, 0)
    const mask = (text: string): string => text
    const observers =
      kind === "bare"
        ? {}
        : {
            observers: [recordReports(journal, mask)],
            transitionObservers: [recordTransitions(journal, mask)]
          }
    const ids = Array.from({ length: 50 }, (_, index) => `paper-${index}`)
    const tree = yield* startTree(
      supervisor({
        id: "root",
        strategy: "one_for_one",
        children: ids.map((id) => worker({ id, start: machineChild({ machine }), stopBudgetMs: 1_000 }))
      }),
      { stopDeadlineMs: 5_000, ...observers }
    )
    yield* captureWhileWatched(tree).pipe(
      Effect.provideService(Journal, journal),
      Effect.provide(Shedding.layer)
    )
    const stopStoring = storeInto(journal)
    const store = {
      store: () => Effect.void,
      read: () => Effect.succeed([]),
      lastAt: () => Effect.succeed(null),
      oldest: Effect.succeed(null)
    }
    const hub = new LiveHub({ journal, store, nowMs: () => performance.now(), epochMs: () => Date.now() })
    const server = yield* Effect.promise(() => listen(hub))
    const watching =
      kind === "watched"
        ? fork(import.meta.filename, [
            "--role",
            "viewers",
            "--port",
            String(server.port),
            "--viewers",
            String(viewers)
          ])
        : null
    if (watching !== null) yield* Effect.promise(() => message(watching))
    const send = (at: number): void =>
      void tree.send(`root/${ids[at % ids.length] ?? ""}`, {
        type: "order.acked",
        correlationId: `s-${at}`
      } as never)
    // Code is compiled and buffers are made before anything is measured.
    yield* Effect.promise(() => work(send))
    const cpuShare = yield* Effect.promise(() => work(send))
    const rssMb = process.memoryUsage.rss() / 1_048_576
    yield* Effect.promise(() => wait(500))
    let delivered = 0
    if (watching !== null) {
      watching.send("count")
      delivered = Number(yield* Effect.promise(() => message(watching)))
      watching.kill()
    }
    stopStoring()
    server.close()
    const figures: Figures = { cpuShare, rssMb, entries: journal.counts().recorded, delivered }
    yield* Effect.promise(() => report(figures))
  })

/** Hands the figures to the parent; to the terminal where there is none. */
const report = (figures: Figures): Promise<void> =>
  new Promise((resolve) => {
    if (process.send === undefined) {
      console.log(figures)
      resolve()
    } else process.send(figures, () => resolve())
  })

/** Fifty readers that count: of WebSockets the messages, of server-sent events the blocks. */
const watchAll = async (): Promise<void> => {
  let entries = 0
  const opened = Array.from({ length: viewers }, (_, index) =>
    index % 2 === 0
      ? new Promise<void>((resolve) => {
          const socket = new WebSocket(`ws://127.0.0.1:${values.port}/`, { perMessageDeflate: false })
          socket.once("open", () => resolve())
          socket.on("message", () => (entries += 1))
        })
      : new Promise<void>((resolve) => {
          request({ host: "127.0.0.1", port: values.port, agent: false }, (response) => {
            resolve()
            response.on("data", (chunk: Buffer) => {
              for (let at = chunk.indexOf("\ndata: "); at >= 0; at = chunk.indexOf("\ndata: ", at + 1))
                entries += 1
            })
          }).end()
        })
  )
  await Promise.all(opened)
  process.send?.("open")
  process.on("message", () => process.send?.(entries))
}

const measure = async (kind: Kind): Promise<Figures> => {
  const child = fork(import.meta.filename, [
    ...["--role", kind, "--seconds", String(seconds), "--rate", String(rate), "--viewers", String(viewers)]
  ])
  const figures = (await message(child)) as Figures
  child.kill()
  return figures
}

const parent = async (): Promise<void> => {
  const all: Record<Kind, Array<Figures>> = { bare: [], recorded: [], watched: [] }
  for (let round = 0; round < rounds; round += 1)
    for (const kind of round % 2 === 0 ? kinds : kinds.toReversed()) all[kind].push(await measure(kind))
  const cost = (of: Kind, against: Kind): number =>
    100 *
    median(all[of].map(({ cpuShare }, round) => cpuShare - (all[against][round]?.cpuShare ?? Number.NaN)))
  const rss = (kind: Kind): number => median(all[kind].map(({ rssMb }) => rssMb))
  const delivered = all.watched.map((figures) => figures.delivered / (figures.entries * viewers))
  const rows = [
    [
      "machines alone, a thousand events a second",
      `${(100 * median(all.bare.map(({ cpuShare }) => cpuShare))).toFixed(2)} % of the loop`,
      ""
    ],
    ["recording them, nobody looks", `${cost("recorded", "bare").toFixed(2)} % of the loop`, ""],
    [
      `recording them, with ${viewers} viewers`,
      `${cost("watched", "bare").toFixed(2)} % of the loop`,
      "at most 5"
    ],
    ["the viewers' part of it", `${cost("watched", "recorded").toFixed(2)} % of the loop`, ""],
    ["memory of the journal", `${(rss("recorded") - rss("bare")).toFixed(1)} MB`, ""],
    [
      `memory of journal and ${viewers} viewers`,
      `${(rss("watched") - rss("bare")).toFixed(1)} MB`,
      "at most 20"
    ],
    ["entries that arrived at each viewer", `${(100 * median(delivered)).toFixed(1)} %`, "nearly all"]
  ]
  for (const [what = "", value = "", target = ""] of rows)
    console.log(`${what.padEnd(48)}${value.padStart(24)}   ${target}`)
  if (values.json !== undefined)
    writeFileSync(values.json, `${JSON.stringify({ rate, viewers, all }, undefined, 2)}\n`)
}

const role = kinds.find((kind) => kind === values.role)
if (role === undefined) await (values.role === "viewers" ? watchAll() : parent())
else {
  await Effect.runPromise(Effect.scoped(service(role)))
  process.disconnect?.()
  process.exit(0)
}
