/** An endpoint of the user's own over HTTP that votes, hangs, dies and lies, with the component that asks it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { voterActor } from "../../src/actors/decision/voter.actor.ts"
import { questionOf } from "../../src/domain/decision/voter.ts"
import { standardSignature } from "../../src/domain/kernel/standard-webhooks.ts"
import { readSecret } from "../../src/domain/kernel/settings-text.ts"
import type { VoterSettings } from "../../src/domain/kernel/settings-voters.ts"
import { Alerts } from "../../src/layers/alerts/alerts.port.ts"
import { ANSWER_BYTES_MAX, voterExchangeHttp } from "../../src/layers/decision/voter-exchange.http.ts"
import { Voters } from "../../src/layers/decision/voters.port.ts"
import { supervisor, worker } from "../../src/runtime/child-spec.ts"
import { startTree } from "../../src/runtime/supervisor.ts"
import { nowMs, signal } from "../domain/decision/decision-world.ts"
import { waitUntil } from "../support/exchange.ts"
import { stopwatch } from "../support/stopwatch.ts"

const secret = "kV3x9QmT7rZp2LwYb8NcHf4JdSgA6uEo"
const deadlineMs = 300
const asked = { strategies: ["s1"], decides: true }
const question = questionOf(signal, asked, { mode: "PRACTICE", nowMs, symbol: "SPY", quote: null })

interface Got {
  readonly headers: IncomingMessage["headers"]
  readonly text: string
}
type Answer = (response: ServerResponse, path: string) => void

/** Opens an endpoint whose answer the test chooses, and the component that asks it. */
const openWorld = Effect.gen(function* () {
  const got: Array<Got> = []
  const world = { answer: ((response) => void response.end()) as Answer, port: 0 }
  const listen = (port: number) =>
    Effect.callback<Server>((resume) => {
      const server = createServer((request, response) => {
        let text = ""
        request.on("data", (chunk: Buffer) => (text += chunk.toString("utf8")))
        request.on("end", () => {
          got.push({ headers: request.headers, text })
          world.answer(response, request.url ?? "")
        })
      })
      server.listen(port, "127.0.0.1", () => {
        world.port = (server.address() as AddressInfo).port
        resume(Effect.succeed(server))
      })
    })
  const close = (server: Server) =>
    Effect.callback<void>((resume) => {
      server.close(() => resume(Effect.void))
      server.closeAllConnections()
    })
  const server = yield* Effect.acquireRelease(listen(0), close)
  const settings: VoterSettings = {
    url: `http://127.0.0.1:${world.port}/vote`,
    secret: Redacted.make(secret),
    deadlineMs,
    shadowDeadlineMs: 50,
    confidenceMin: 0.5,
    onSilence: "deny",
    atOnceMax: 4,
    failuresMax: 1_000,
    cooldownMs: 100
  }
  const context = yield* Layer.build(
    Layer.mergeAll(
      Voters.layer,
      voterExchangeHttp,
      Layer.mock(Alerts, {
        draft: Effect.die("nothing is committed with its alert"),
        takePending: () => [],
        putBack: () => undefined,
        counts: () => assert.fail("nobody asks")
      })
    )
  )
  const tree = yield* Effect.provide(
    startTree(
      supervisor({
        id: "root",
        children: [worker({ id: "voter:mine", start: voterActor("mine", settings) })]
      }),
      { stopDeadlineMs: 5_000 }
    ),
    context
  )
  const voters = yield* Effect.provide(Voters, context)
  const ask = Effect.map(voters.ask("mine", question, 1_000), ({ confidence, reasons, vote }) => ({
    vote,
    confidence,
    reason: reasons[0] ?? ""
  }))
  const detail = () =>
    tree.snapshot().children[0]?.detail as { readonly refused: number; readonly voted: number }
  return { ask, close: close(server), detail, got, listen, world }
})

const json =
  (value: string, head: Readonly<Record<string, string>> = {}, status = 200): Answer =>
  (response) =>
    void response.writeHead(status, { "content-type": "application/json", ...head }).end(value)

/** What an endpoint may do wrong, and the reason that is given. */
const lies: ReadonlyArray<readonly [what: string, answer: Answer, reason: string]> = [
  [
    "a confidence of a million",
    json('{"vote":"enter","confidence":1000000}'),
    "confidence must be a number from 0 to 1"
  ],
  [
    "one beyond all numbers",
    json('{"vote":"enter","confidence":1e999}'),
    "confidence must be a number from 0 to 1"
  ],
  ["one that is none", json('{"vote":"enter","confidence":NaN}'), "its answer is not JSON"],
  ["a word of its own", json('{"vote":"BUY NOW","confidence":1}'), "vote must be one of"],
  ["a quantity", json('{"vote":"enter","confidence":1,"quantity":"1000"}'), "quantity unknown field"],
  ["a list", json("[]"), "its answer is no vote"],
  ["nothing", json(""), "its answer is not JSON"],
  [
    "too many reasons",
    json(JSON.stringify({ vote: "enter", confidence: 1, reasons: Array(11).fill("x") })),
    "reasons must be"
  ],
  ["a page", json("<html>", { "content-type": "text/html" }), "its answer is not application/json"],
  ["a redirect", json("", { location: "/elsewhere" }, 307), "it redirects (307), which is not followed"],
  ["a failure", json('{"vote":"enter","confidence":1}', {}, 500), "its answer was 500"],
  ["more than is read", json(`"${"x".repeat(ANSWER_BYTES_MAX)}"`), "its answer has more than"],
  ["nothing, and hangs up", (response) => void response.destroy(), "UND_ERR_SOCKET"],
  ["nothing at all", () => undefined, `it did not answer within ${deadlineMs} ms`]
]

describe("[D9] an endpoint of engine C", () => {
  it.live("is asked with a signature that its secret verifies, and its vote is taken", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { ask, detail, got, world } = yield* openWorld
        world.answer = json('{"vote":"long","confidence":0.75,"reasons":["my model"]}')
        assert.deepStrictEqual(yield* ask, { vote: "long", confidence: 0.75, reason: "my model" })
        const [first] = got
        assert.deepStrictEqual(JSON.parse(first?.text ?? ""), question)
        const {
          "webhook-id": id,
          "webhook-signature": signature,
          "webhook-timestamp": at
        } = first?.headers ?? {}
        assert.strictEqual(id, signal.id)
        const expected = standardSignature(readSecret(secret).key, String(id), String(at), first?.text ?? "")
        assert.strictEqual(signature, `v1,${expected.toString("base64")}`)
        assert.strictEqual(detail().voted, 1)
      })
    )
  )

  it.live("that lies, hangs or breaks abstains, each time with its reason, and is counted", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { ask, detail, got, world } = yield* openWorld
        for (const [what, answer, reason] of lies) {
          world.answer = answer
          const said = yield* ask
          assert.deepInclude(said, { vote: "abstain", confidence: 0 }, what)
          assert.include(said.reason, reason, what)
        }
        assert.deepInclude(detail(), { refused: lies.length, voted: 0 })
        assert.lengthOf(got, lies.length, "nobody was asked twice, and no redirect was followed")
      })
    )
  )

  it.live("that drips is late, however long it would go on", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { ask, world } = yield* openWorld
        const timers: Array<NodeJS.Timeout> = []
        const gone: Array<boolean> = []
        world.answer = (response) => {
          response.writeHead(200, { "content-type": "application/json" })
          timers.push(setInterval(() => response.write(" "), 20))
          response.on("close", () => gone.push(true))
        }
        const tookMs = stopwatch()
        assert.include((yield* ask).reason, "it did not answer within")
        assert.isBelow(tookMs(), 3 * deadlineMs)
        yield* Effect.promise(() => waitUntil("it to be gone", () => gone[0]))
        assert.lengthOf(gone, 1, "the connection is given up with the question")
        for (const timer of timers) clearInterval(timer)
      })
    )
  )

  it.live("that dies is unreachable, and is asked again when it is back", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const { ask, close, listen, world } = yield* openWorld
        yield* close
        assert.strictEqual((yield* ask).reason, "ECONNREFUSED")
        world.answer = json('{"vote":"stay_out","confidence":1}')
        const again = yield* listen(world.port)
        assert.strictEqual((yield* ask).vote, "stay_out")
        again.closeAllConnections()
        again.close()
      })
    )
  )
})
