/**
 * Telegram analysis: the commands that compare engines and make decisions again (G1, D9).
 *
 * Promises: what they show is what the API shows; a replay is asked for and looked at, never waited for.
 * Never: changes anything; lets a viewer keep the process busy.
 */
import { Clock, Effect } from "effect"
import { isUuid } from "../../domain/kernel/ids.ts"
import { isoOf } from "../../domain/kernel/iso-time.ts"
import { bold, cell, pagesOf, prose, shortTime, table } from "../../domain/operators/telegram-text.ts"
import { runKey } from "../../domain/operators/telegram-words.ts"
import { DecisionReplays, type ReplayJob } from "../../layers/decision/decision-replays.port.ts"
import { ReadStore } from "../../layers/health/read-store.port.ts"
import { Config, snapshotOf } from "../../layers/platform/config.port.ts"
import { inRows, type Reply } from "./telegram-reply.ts"

const HOUR_MS = 3_600_000
/** A week: what a phone asks for is short; longer spans are the console's. */
const HOURS_MAX = 168

const pages = (head: string, lines: ReadonlyArray<string>): ReadonlyArray<Reply> =>
  pagesOf(head, lines).map((html) => ({ html }))

/** How the engines compare, over all that is kept, or for one strategy. */
export const experiments = ({ words }: { readonly words: ReadonlyArray<string> }) =>
  Effect.gen(function* () {
    const reads = yield* ReadStore
    const items = yield* reads.experiments({ from: null, to: null, strategy: words[0] ?? null })
    const listed = yield* reads.strategies(snapshotOf(yield* Config).strategies)
    const shadows = listed.filter((row) => row["stage"] === "shadow")
    const stages = shadows.map(
      (row) =>
        `${cell(row, "strategy")} is a shadow by ${cell(row, "changed_by")}: ${cell(row, "paper_pnl")} on paper`
    )
    if (items.length === 0)
      return [{ html: prose(["No signal was decided yet.", ...stages]) }] satisfies ReadonlyArray<Reply>
    const lines = table([
      ["strategy", "eng", "sig", "ord", "pnl"],
      ...items.map((row) => [
        cell(row, "experiment_id"),
        cell(row, "engine"),
        cell(row, "signals"),
        cell(row, "ordered"),
        cell(row, "pnl")
      ])
    ])
    return pages(bold("Experiments: signals, ordered, profit"), [...lines, ...stages])
  })

const spans = inRows(
  [
    ["The last hour", "1"],
    ["The last day", "24"],
    ["The last week", "168"]
  ].flatMap(([text = "", hours = ""]) => runKey(text, `/replay ${hours}`))
)

const told = ({ decided, error, id, request, result, status }: ReplayJob): ReadonlyArray<Reply> => {
  const span = `${shortTime(isoOf(request.fromMs) ?? "")} to ${shortTime(isoOf(request.toMs) ?? "")} UTC`
  if (status === "failed") return [{ html: `The replay of ${span} failed: ${error ?? "no reason"}` }]
  if (result === null)
    return [
      {
        html: `The replay of ${span} goes on: ${decided} decisions so far.`,
        keys: [runKey("Look again", `/replay ${id}`)]
      }
    ]
  return pages(bold(`Replay of ${span}`), [
    `decided again   ${result.decided}`,
    `without facts   ${result.withoutFacts}`,
    `different       ${result.differing}`,
    `orders changed  ${result.ordersChanged}`,
    `profit change   ${result.pnlChange}`,
    ...(result.ordersUnpriced === 0 ? [] : [`without a price ${result.ordersUnpriced}`])
  ])
}

/** Decides a span again under the settings in force, or shows what came of it. */
export const replay = ({
  mayControl,
  words
}: {
  readonly words: ReadonlyArray<string>
  readonly mayControl: boolean
}) =>
  Effect.gen(function* () {
    const [word = ""] = words
    const replays = yield* DecisionReplays
    if (isUuid(word)) {
      const job = replays.find(word)
      return job === null ? [{ html: "That replay is gone: a restart, or newer ones, ended it." }] : told(job)
    }
    const hours = /^\d{1,3}$/.test(word) ? Number(word) : 0
    if (hours < 1 || hours > HOURS_MAX)
      return [
        { html: `Of which time? Or name hours, up to ${HOURS_MAX}.`, keys: spans }
      ] satisfies ReadonlyArray<Reply>
    if (!mayControl)
      return [{ html: "That is for operators: here you may look." }] satisfies ReadonlyArray<Reply>
    const toMs = yield* Clock.currentTimeMillis
    const settings = snapshotOf(yield* Config)
    const id = replays.submit({ fromMs: toMs - hours * HOUR_MS, toMs, source: null, settings })
    return id === null
      ? ([{ html: "Too many replays wait already." }] satisfies ReadonlyArray<Reply>)
      : ([
          {
            html: `The decisions of the last ${hours} h are made again under the settings in force.`,
            keys: [runKey("What came of it", `/replay ${id}`)]
          }
        ] satisfies ReadonlyArray<Reply>)
  })
