/**
 * A holdfast with a bot, and the Telegram that it talks to.
 *
 * Promises: Telegram outlives every end of the service; a kill is ordered at a named point of one update or message.
 * Never: lets the bot reach anything but the stand-in.
 */
import { Effect, Exit, Scope } from "effect"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import path from "node:path"
import { assert } from "vitest"
import type { StandInOptions } from "../../peers/telegram/options.ts"
import { waitUntil } from "../support/exchange.ts"
import { alterDatabase, emptyDatabase, type TestDatabase } from "../support/postgres.ts"
import { projectRoot } from "../support/program.ts"
import { Telegram } from "../support/telegram.ts"
import { type Row, Service } from "./service.ts"

/** One chat for each thing that is asked, because a chat is answered once a second. */
export const operators = Array.from({ length: 48 }, (_, at) => 101 + at)
export const viewers = Array.from({ length: 20 }, (_, at) => 201 + at)
/** A group of operators, and one of viewers. */
export const desk = -301
export const lobby = -302
/** The one chat that gets alerts, so that in the others every message is an answer. */
export const pager = 401

/** A line of the sink that is a file. */
export interface SinkLine {
  readonly kind: string
  readonly message: string
  readonly also: ReadonlyArray<{ readonly message: string }>
  readonly more: number
}

export class TelegramWorld {
  readonly telegram: Telegram
  readonly service: Service
  readonly #folder: string
  readonly #database: TestDatabase
  readonly #scope: Scope.Closeable

  private constructor(
    telegram: Telegram,
    service: Service,
    database: TestDatabase,
    folder: string,
    scope: Scope.Closeable
  ) {
    this.telegram = telegram
    this.service = service
    this.#database = database
    this.#folder = folder
    this.#scope = scope
  }
  static async open(
    options: Partial<StandInOptions> = {},
    settings: Readonly<Record<string, unknown>> = {},
    file: Readonly<Record<string, unknown>> = {}
  ): Promise<TelegramWorld> {
    const telegram = await Telegram.open(options)
    const folder = mkdtempSync(path.join(tmpdir(), "holdfast-telegram-"))
    const scope = Effect.runSync(Scope.make())
    const database = await Effect.runPromise(emptyDatabase.pipe(Scope.provide(scope)))
    const config = path.join(folder, "holdfast.json")
    const chat = (role: string, alerts: boolean) => ({ role, alerts })
    const named = [
      ...operators.map((id) => [id, chat("operator", false)] as const),
      ...viewers.map((id) => [id, {}] as const),
      [desk, chat("operator", false)] as const,
      [lobby, {}] as const,
      [pager, chat("viewer", true)] as const
    ]
    const chats = Object.fromEntries(named.map(([id, one]) => [String(id), one]))
    writeFileSync(config, JSON.stringify({ telegram: { chats, ...settings }, ...file }))
    const service = new Service({
      dataDir: path.join(folder, "data"),
      command: [
        process.execPath,
        "--require",
        path.join(projectRoot, "test/support/fault-hook.cjs"),
        "src/main.ts"
      ],
      env: {
        DATABASE_URL: database.url,
        HOLDFAST_CONFIG: config,
        FAULT_ORDER: path.join(folder, "order"),
        TELEGRAM_BOT_TOKEN: telegram.token,
        TELEGRAM_API_ROOT: telegram.server.url
      }
    })
    for (const chat of [...operators, ...viewers, desk, lobby, pager]) telegram.bot.chats.open(chat)
    return new TelegramWorld(telegram, service, database, folder, scope)
  }
  /** One statement on the database, behind the back of the service. */
  alter(statement: string): Promise<void> {
    return Effect.runPromise(alterDatabase(this.#database, statement))
  }
  /** What a sink that is the file `alerts.jsonl` was told of a kind. */
  lines(kind: string): ReadonlyArray<SinkLine> {
    const file = path.join(this.service.dataDir, "alerts.jsonl")
    const whole = existsSync(file) ? readFileSync(file, "utf8").split("\n").slice(0, -1) : []
    return whole
      .map((line) => (JSON.parse(line) as { readonly data: SinkLine }).data)
      .filter((one) => one.kind === kind)
  }
  /** Orders a kill at a point of an update, or of a message. */
  killAt(point: string, subject: string): void {
    writeFileSync(path.join(this.#folder, "order"), `${point} ${subject} SIGKILL`)
  }
  async dead(): Promise<void> {
    await waitUntil(
      () => `the process to die at its point${this.service.tail()}`,
      () => (this.service.isRunning ? undefined : true)
    )
  }
  async component(): Promise<Readonly<Record<string, unknown>>> {
    const { body } = await this.service.get("/health")
    return body.components["root/operators/telegram"] as Readonly<Record<string, unknown>>
  }
  state(name: string, deadlineMs = 60_000): Promise<Readonly<Record<string, unknown>>> {
    let last = ""
    return waitUntil(
      () => `the bot to be ${name}; last ${last}${this.service.tail()}`,
      async () => {
        const component = await this.component()
        last = JSON.stringify(component)
        return String(component?.["state"]).startsWith(name) ? component : undefined
      },
      deadlineMs
    )
  }
  /** Asks for something that is confirmed by a button, and presses it. */
  async confirm(chat: number, user: number, text: string): Promise<string> {
    const { telegram } = this
    const question = await telegram.ask(chat, user, text)
    const yes = question.keyboard.flat()[0]?.callback_data ?? ""
    telegram.bot.press(chat, user, question.message_id, yes)
    return await waitUntil(
      () => `an end of ${question.text}`,
      () => {
        const now = telegram.bot.chats.find(chat, question.message_id)
        return now !== undefined && now.edits > 0 ? now.text : undefined
      }
    )
  }
  /** Presses a button while the process is to die at a point of that press; judges that it took effect once. */
  async pressAndDie(chat: number, point: string): Promise<void> {
    const { service, telegram } = this
    const question = await telegram.ask(chat, chat, `/halt strategy:default ${point}`)
    const yes = question.keyboard.flat()[0]?.callback_data ?? ""
    // The points of a command are about its scope.
    this.killAt(point, point.startsWith("K10") ? "strategy:default" : String(telegram.bot.updates.next))
    telegram.bot.press(chat, chat, question.message_id, yes)
    await this.dead()
    service.spawn()
    await service.ready()
    const end = await waitUntil(
      () => `the end of the question${service.tail()}`,
      () => {
        const now = telegram.bot.chats.find(chat, question.message_id)
        return now !== undefined && now.edits > 0 ? now.text : undefined
      }
    )
    assert.strictEqual(end, "Done.", point)
    const rows = (await this.audit("result=accepted")).filter(({ reason }) => reason === point)
    assert.lengthOf(rows, 1, point)
  }
  audit(query = ""): Promise<ReadonlyArray<Row>> {
    return this.service.list("audit", query)
  }
  async dispose(): Promise<void> {
    await this.service.dispose()
    await this.telegram.dispose()
    await Effect.runPromise(Scope.close(this.#scope, Exit.void))
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
