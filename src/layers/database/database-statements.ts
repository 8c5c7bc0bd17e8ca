/**
 * Which statements take long: how often each ran, what all of it took and what the longest took.
 *
 * The server keeps such figures only with an extension, which an installation may not have. So they are taken here, where every
 * statement of this process comes through: the SQL client tells a tracer the text of each, when it got its connection and when it ended.
 *
 * Promises: as many statements as `statementsMax`, those whose longest took longest; a statement is known by the call that it belongs to and
 * by its text, in which lists of any length are the same; its time begins when it has its connection and does not go back with a clock.
 * Never: keeps a parameter or a row; asks the server; changes what a statement does.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Tracer from "effect/Tracer"

/** What is known of one statement, since the process started. */
export interface StatementFigures {
  /** The call that it belongs to, such as `signals.claim`. */
  readonly operation: string
  /** In one line, without parameters. */
  readonly text: string
  readonly count: number
  readonly failed: number
  readonly totalMs: number
  readonly longestMs: number
  /** Epoch milliseconds, as all instants here. */
  readonly longestAtMs: number
  readonly lastAtMs: number
}

type Entry = { -readonly [Name in keyof StatementFigures]: StatementFigures[Name] }

export interface StatementLedger {
  /** A statement of a call ended, `ms` after it had its connection. */
  readonly note: (operation: string, sql: string, ms: number, failed: boolean) => void
  /** Those whose longest took longest, or that took most in all. */
  readonly slowest: (count: number, by?: SlownessKey) => ReadonlyArray<StatementFigures>
  /** What the client tells of the statements of a call. */
  readonly tracer: (operation: string) => Tracer.Tracer
}

export type SlownessKey = "longestMs" | "totalMs"

export const statementLimits = {
  /** Statements that are kept: all of this service's, some 400 texts, and those that an upgrade adds. At 0.6 kB each a quarter of a megabyte. */
  statementsMax: 500,
  /** Texts as the client sent them, to find the entry of a statement without reading its text again. Lists of other lengths are other texts. */
  textsMax: 1_000,
  /** Of a text. Enough to find the statement in the sources; the longest have 3,000. */
  textCharactersMax: 400
} as const

/** A text in one line, where `$` stands for a parameter and `$, …` for a list of them. */
export const fingerprintOf = (sql: string): string => {
  const line = sql
    .replaceAll(/--[^\n]*/g, "")
    .replaceAll(/\s+/g, " ")
    .trim()
    .replaceAll(/\$\d+/g, "$")
    .replaceAll(/\$(?:::\w+(?:\[\])?)?(?:, ?\$(?:::\w+(?:\[\])?)?)+/g, "$, …")
    .replaceAll(/\((\$|\$, …)\)(?:, ?\(\1\))+/g, "($1), …")
  return line.length <= statementLimits.textCharactersMax
    ? line
    : `${line.slice(0, statementLimits.textCharactersMax - 1)}…`
}

/** What the client writes on the span of a statement: its text, and, when it has its connection, how long it waited for that. */
const TEXT = "db.query.text"
const WAITED = "db.client.connection.wait_time_ms"

/** The span of one statement; of everything else it notes nothing. */
class StatementSpan extends Tracer.NativeSpan {
  readonly #ended: (sql: string, ms: number, failed: boolean) => void
  readonly #nowMs: () => number
  #sql: string | undefined
  #sinceMs: number | undefined

  constructor(
    options: ConstructorParameters<typeof Tracer.NativeSpan>[0],
    nowMs: () => number,
    ended: (sql: string, ms: number, failed: boolean) => void
  ) {
    super(options)
    this.#nowMs = nowMs
    this.#ended = ended
  }

  override attribute(key: string, value: unknown): void {
    super.attribute(key, value)
    if (key === TEXT && typeof value === "string") this.#sql = value
    if (key === WAITED) this.#sinceMs = this.#nowMs()
  }

  override end(endTime: bigint, exit: Exit.Exit<unknown, unknown>): void {
    super.end(endTime, exit)
    // Without a connection it never reached the server: that is the pool's trouble and not the statement's.
    if (this.#sql === undefined || this.#sinceMs === undefined) return
    this.#ended(this.#sql, this.#nowMs() - this.#sinceMs, Exit.isFailure(exit))
  }
}

/** `nowMs` never goes back, `epochMs` is the time of day. */
export const makeStatementLedger = (nowMs: () => number, epochMs: () => number): StatementLedger => {
  const entries = new Map<string, Entry>()
  const byText = new Map<string, Entry>()
  const tracers = new Map<string, Tracer.Tracer>()

  const forgetQuickest = (): void => {
    let quickest: [string, Entry] | undefined
    for (const one of entries) if (one[1].longestMs < (quickest?.[1].longestMs ?? Infinity)) quickest = one
    if (quickest !== undefined) entries.delete(quickest[0])
    byText.clear()
  }

  const entryOf = (operation: string, sql: string): Entry => {
    const sent = `${operation}\n${sql}`
    const known = byText.get(sent)
    if (known !== undefined) return known
    const text = fingerprintOf(sql)
    const key = `${operation}\n${text}`
    let entry = entries.get(key)
    if (entry === undefined) {
      if (entries.size >= statementLimits.statementsMax) forgetQuickest()
      entry = { operation, text, count: 0, failed: 0, totalMs: 0, longestMs: 0, longestAtMs: 0, lastAtMs: 0 }
      entries.set(key, entry)
    }
    if (byText.size >= statementLimits.textsMax) byText.clear()
    byText.set(sent, entry)
    return entry
  }

  const note: StatementLedger["note"] = (operation, sql, ms, failed) => {
    const entry = entryOf(operation, sql)
    entry.count += 1
    if (failed) entry.failed += 1
    entry.totalMs += ms
    entry.lastAtMs = epochMs()
    if (ms < entry.longestMs) return
    entry.longestMs = ms
    entry.longestAtMs = entry.lastAtMs
  }

  return {
    note,
    slowest: (count, by = "longestMs") =>
      [...entries.values()]
        .toSorted((a, b) => b[by] - a[by])
        .slice(0, count)
        .map((entry) => ({ ...entry })),
    tracer: (operation) => {
      const known = tracers.get(operation)
      if (known !== undefined) return known
      const made = Tracer.make({
        span: (options) =>
          new StatementSpan(options, nowMs, (sql, ms, failed) => note(operation, sql, ms, failed))
      })
      tracers.set(operation, made)
      return made
    }
  }
}

/** The statements of this process. */
export class Statements extends Context.Service<Statements, StatementLedger>()("holdfast/layers/Statements") {
  static readonly layer = Layer.effect(
    Statements,
    Effect.map(Clock.Clock, (clock) =>
      makeStatementLedger(
        () => Number(clock.monotonicTimeNanosUnsafe() / 1_000n) / 1_000,
        () => clock.currentTimeMillisUnsafe()
      )
    )
  )
}
