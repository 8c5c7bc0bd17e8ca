/**
 * Telegram controls: commands that change something, from words to a question, and from a press to what came of it (T14).
 *
 * A message only asks. What is asked is stored with who asked, and a button of that question gives the command, once, to the one
 * entry of all commands, which permits, audits and carries it out. A phone in a pocket presses buttons; so the question names the
 * consequence and is over after a minute.
 *
 * Promises: nothing takes effect without a press of who asked, in time; a press that is handled twice is one command, because the
 * confirmation is the key of it; what came of it is shown as done, not done or not known; whoever may not is refused and audited,
 * by the number of their account.
 * Never: carries anything out itself; gives a command that would end the bot, whose next life would find the press unanswered and
 * give it again.
 */
import { Effect, Schedule } from "effect"
import {
  type CommandCaller,
  type CommandName,
  type CommandRefused,
  COMMANDS,
  mayGive,
  OUTCOME_UNKNOWN
} from "../../domain/control/commands.ts"
import type { Settings, TelegramRole } from "../../domain/kernel/settings.ts"
import { oneLine } from "../../domain/kernel/text-line.ts"
import type { TradingStateName } from "../../domain/kernel/trading-state.ts"
import { RESOLUTIONS } from "../../domain/orders/order.ts"
import { telegramLimits } from "../../domain/operators/telegram-limits.ts"
import { bold, cell, code, escaped } from "../../domain/operators/telegram-text.ts"
import { isLikeQuantity, isQuantity, type Key, runKey } from "../../domain/operators/telegram-words.ts"
import { Commands } from "../../layers/control/commands.port.ts"
import { HealthSource } from "../../layers/health/health-source.port.ts"
import type { Item, ListName } from "../../layers/health/read-store.port.ts"
import { Config } from "../../layers/platform/config.port.ts"
import { Entropy } from "../../layers/platform/entropy.port.ts"
import { type Confirmation, TelegramStore } from "../../layers/operators/telegram-store.port.ts"
import { type Asked, inRows, type Reply } from "./telegram-reply.ts"
import { isHeld, meant, rowsOf } from "./telegram-rows.ts"

/** A command that was understood. */
interface Wanted {
  readonly command: CommandName
  readonly target: string
  readonly arguments: Readonly<Record<string, unknown>>
  readonly reason: string | null
  /** What it is about, as a person says it. */
  readonly about: string
}
type Understood = { readonly wanted: Wanted } | { readonly reply: Reply }

const ask = (html: string, keys: ReadonlyArray<Key> = []): Understood => ({
  reply: { html, ...(keys.length === 0 ? {} : { keys: inRows(keys.slice(0, 10)) }) }
})

/** Why, as the audit has it: commands that change something state it, and a phone may leave it out. */
const reasonOf = (words: ReadonlyArray<string>): string => {
  const text = words.join(" ").trim().slice(0, 500)
  return text === "" ? "asked for by Telegram" : text
}

/** Rows among which somebody names one: many more than a phone shows. */
const ROWS_NAMED = 200

const candidates = (name: ListName, filters: Readonly<Record<string, string>> = {}) =>
  Effect.map(rowsOf(name, filters, ROWS_NAMED), ({ items }) => items)

const scopesOf = ({ accounts, strategies }: Settings): ReadonlyArray<string> => [
  "global",
  ...Object.keys(accounts).map((id) => `account:${id}`),
  ...Object.keys(strategies).map((id) => `strategy:${id}`)
]

const tradingState = (verb: string, state: TradingStateName) => (words: ReadonlyArray<string>) =>
  Effect.map(Config, (settings): Understood => {
    const [first = "", ...rest] = words
    const scopes = scopesOf(settings)
    const scope = scopes.find((one) => one === first || one.endsWith(`:${first}`))
    if (scope === undefined)
      return ask(
        first === "" ? `${verb} what?` : `${code(first)} is no account and no strategy. ${verb} what?`,
        scopes.flatMap((one) => runKey(one, `/${verb.toLowerCase()} ${one}`))
      )
    const about = `${state} for ${scope}`
    return {
      wanted: {
        command: "trading_state.set",
        target: scope,
        arguments: { state },
        reason: reasonOf(rest),
        about
      }
    }
  })

/** Whether the command would end the component `self`, inside which it is carried out, and with it whoever reports what came of it. */
const endsUs = (self: string, command: CommandName, target: string): boolean =>
  (command === "component.restart" || command === "component.pause") &&
  (target === self || self.startsWith(`${target}/`))

const USE_CONSOLE = "That would end the bot before it could tell what came of it: use the console."

const component = (verb: "restart" | "pause" | "resume") => (words: ReadonlyArray<string>, self: string) =>
  Effect.map(HealthSource, (source): Understood => {
    const [path = "", ...rest] = words
    if (endsUs(self, `component.${verb}`, /^root(\/|$)/.test(path) ? path : `root/${path}`))
      return ask(USE_CONSOLE)
    const rows = source
      .actors()
      .filter((row) => row.type === "worker" && !endsUs(self, `component.${verb}`, row.path))
    const found = rows.find((row) => row.path === path || row.path === `root/${path}`)
    if (found === undefined)
      return ask(
        path === "" ? "Which component?" : `There is no component ${code(path)}.`,
        rows
          .toSorted((a, b) => Number(a.ready) - Number(b.ready))
          .flatMap((row) => runKey(row.path.replace(/^root\//, ""), `/${verb} ${row.path}`))
      )
    return {
      wanted: {
        command: `component.${verb}`,
        target: found.path,
        arguments: { confirmed: false },
        reason: reasonOf(rest),
        about: `${verb} ${found.path}`
      }
    }
  })

const close = ([word = "", ...rest]: ReadonlyArray<string>) =>
  Effect.map(candidates("positions", { open: "true" }), (rows): Understood => {
    const held = rows.filter(isHeld)
    const found = meant(held, word, "symbol")
    const [position] = found
    const nameOf = (row: Item): string =>
      `${cell(row, "quantity")} ${cell(row, "symbol")} of ${cell(row, "account")}`
    if (position === undefined || found.length > 1)
      return ask(
        held.length === 0 ? "Nothing is held." : "Which position?",
        (found.length > 1 ? found : held).flatMap((row) => runKey(nameOf(row), `/close ${cell(row, "id")}`))
      )
    const [first = ""] = rest
    const quantity = isQuantity(first) ? first : null
    if (quantity === null && isLikeQuantity(first))
      return ask(
        `${code(first)} is no quantity: name a number, such as 1.5, or nothing for all of it. A reason begins with a letter.`
      )
    return {
      wanted: {
        command: "position.close",
        target: cell(position, "id"),
        arguments: { quantity },
        reason: reasonOf(quantity === null ? rest : rest.slice(1)),
        about: quantity === null ? `close ${nameOf(position)}` : `close ${quantity} of ${nameOf(position)}`
      }
    }
  })

const flatten = ([account = "", ...rest]: ReadonlyArray<string>) =>
  Effect.map(Config, ({ accounts }): Understood => {
    if (!Object.hasOwn(accounts, account))
      return ask(
        account === "" ? "Which account?" : `There is no account ${code(account)}.`,
        Object.keys(accounts).flatMap((id) => runKey(id, `/flatten ${id}`))
      )
    return {
      wanted: {
        command: "account.flatten",
        target: account,
        arguments: {},
        reason: reasonOf(rest),
        about: `close everything of ${account}`
      }
    }
  })

const orderName = (row: Item): string =>
  `${cell(row, "side")} ${cell(row, "quantity")} ${cell(row, "symbol")} ${cell(row, "id").slice(0, 8)}`.trim()

const cancel = ([word = "", ...rest]: ReadonlyArray<string>) =>
  Effect.map(candidates("transactions"), (rows): Understood => {
    const open = rows.filter((row) => cell(row, "kind") === "order")
    const found = meant(open, word)
    const [order] = found
    if (order === undefined || found.length > 1)
      return ask(
        open.length === 0 ? "No order is open." : "Which order?",
        open.flatMap((row) => runKey(orderName(row), `/cancel ${cell(row, "id")}`))
      )
    return {
      wanted: {
        command: "order.cancel",
        target: cell(order, "id"),
        arguments: {},
        reason: reasonOf(rest),
        about: `cancel ${orderName(order)}`
      }
    }
  })

const resolve = ([word = "", ...rest]: ReadonlyArray<string>) =>
  Effect.map(candidates("orders", { status: "needs_operator" }), (rows): Understood => {
    const found = meant(rows, word)
    const [order] = found
    const outcome = RESOLUTIONS.find((one) => one === rest[0]?.toLowerCase())
    if (order === undefined || found.length > 1 || outcome === undefined)
      return ask(
        rows.length === 0 ? "No order waits for a person." : "What became of which order?",
        (found.length === 1 ? found : rows).flatMap((row) =>
          RESOLUTIONS.flatMap((one) =>
            runKey(`${orderName(row)}: ${one.replace("_", " ")}`, `/resolve ${cell(row, "id")} ${one}`)
          )
        )
      )
    const venue = /^venue=(?<id>\S{1,200})$/.exec(rest[1] ?? "")?.groups?.["id"] ?? null
    return {
      wanted: {
        command: "order.resolve",
        target: cell(order, "id"),
        arguments: { outcome, venue_order_id: venue },
        reason: reasonOf(rest.slice(venue === null ? 1 : 2)),
        about: `${orderName(order)} is ${outcome.replace("_", " ")}`
      }
    }
  })

const acknowledge = ([word = "", ...rest]: ReadonlyArray<string>) =>
  Effect.map(candidates("alerts", { status: "open" }), (rows): Understood => {
    const found = meant(rows, word, "kind")
    const [alert] = found
    if (alert === undefined || found.length > 1)
      return ask(
        rows.length === 0 ? "No alert is open." : "Which alert?",
        rows.flatMap((row) => runKey(cell(row, "kind"), `/ack ${cell(row, "id")}`))
      )
    const note = rest.join(" ").trim()
    return {
      wanted: {
        command: "alert.acknowledge",
        target: cell(alert, "id"),
        arguments: { note: note === "" ? null : note.slice(0, 500) },
        reason: null,
        about: `acknowledge ${cell(alert, "kind")}: ${oneLine(cell(alert, "message"), 200)}`
      }
    }
  })

const selfTest = (words: ReadonlyArray<string>) =>
  Effect.succeed({
    wanted: {
      command: "telegram.test",
      target: "telegram",
      arguments: {},
      reason: reasonOf(words),
      about: "test whether messages arrive"
    }
  } satisfies Understood)

const controls = {
  halt: { command: "trading_state.set", understand: tradingState("Halt", "HALTED") },
  reduce: { command: "trading_state.set", understand: tradingState("Reduce", "REDUCING") },
  pause: { command: "component.pause", understand: component("pause") },
  restart: { command: "component.restart", understand: component("restart") },
  close: { command: "position.close", understand: close },
  flatten: { command: "account.flatten", understand: flatten },
  cancel: { command: "order.cancel", understand: cancel },
  resolve: { command: "order.resolve", understand: resolve },
  ack: { command: "alert.acknowledge", understand: acknowledge },
  selftest: { command: "telegram.test", understand: selfTest },
  // Of trading, or of a component that was paused.
  resume: {
    command: "trading_state.set",
    understand: (words: ReadonlyArray<string>, self: string) =>
      words[0]?.startsWith("root/") === true
        ? component("resume")(words, self)
        : tradingState("Resume", "ACTIVE")(words)
  }
} as const satisfies Readonly<
  Record<
    string,
    {
      readonly command: CommandName
      readonly understand: (words: ReadonlyArray<string>, self: string) => unknown
    }
  >
>

export type ControlName = keyof typeof controls
export const isControl = (name: string): name is ControlName => Object.hasOwn(controls, name)

const callerOf = (user: number, role: TelegramRole | null): CommandCaller => ({
  by: `telegram:${user}`,
  origin: "telegram",
  means: role === null ? "none" : "telegram",
  address: null,
  permission: role
})
const requestIdOf = (updateId: number): string => `telegram-${updateId}`

/** What is asked back before a command is given; or why it is not asked. */
export const askControl = (name: ControlName, words: ReadonlyArray<string>, asked: Asked) =>
  Effect.gen(function* () {
    const { command, understand } = controls[name]
    if (!mayGive(asked.role, command)) {
      const commands = yield* Commands
      yield* commands.noteStranger({
        command,
        target: words[0] ?? "",
        caller: callerOf(asked.user, asked.role),
        requestId: requestIdOf(asked.updateId),
        reason: "an operator may do this"
      })
      return [{ html: "That is for operators: here you may look." }] satisfies ReadonlyArray<Reply>
    }
    const understood = yield* understand(words, asked.self)
    if ("reply" in understood) return [understood.reply]
    const { wanted } = understood
    const entropy = yield* Entropy
    const store = yield* TelegramStore
    const id = entropy.uuid().replaceAll("-", "")
    yield* store.askConfirmation({
      id,
      chat: asked.chat,
      askedBy: asked.user,
      command: wanted.command,
      target: wanted.target,
      arguments: wanted.arguments,
      reason: wanted.reason
    })
    const why = wanted.reason === null ? "" : `\nReason: ${escaped(oneLine(wanted.reason))}`
    const seconds = Math.round(telegramLimits.confirmMs / 1_000)
    const html = `${bold(wanted.about)}\n${escaped(COMMANDS[wanted.command].confirmation(wanted.target))}${why}\n\nThe button works once, for you, for ${seconds} s.`
    const keys: ReadonlyArray<ReadonlyArray<Key>> = [
      [
        { text: "Yes, do it", callback_data: `y:${id}` },
        { text: "No", callback_data: `n:${id}` }
      ]
    ]
    return [{ html, keys }]
  })

/** The word of `Commands` for an attempt with this key that goes on. */
const IN_PROGRESS = "in_progress"
/** What is shown where "not done" would be a guess, and somebody might give the command once more. */
export const NOT_KNOWN = "Not known whether it was done: see the audit"

/** What is shown of an answer: how many orders it made, or how it ended. */
const doneOf = (body: Readonly<Record<string, unknown>>): string => {
  const orders = body["orders"]
  const unresolved = body["unresolved"]
  if (!Array.isArray(orders)) return "Done."
  const open = Array.isArray(unresolved) && unresolved.length > 0 ? `, ${unresolved.length} unresolved` : ""
  return `Done: ${orders.length} order${orders.length === 1 ? "" : "s"}${open}.`
}

/** Why a command gave no answer: it was not carried out, or only the audit knows. */
export const refusalOf = ({ errors, message, reason }: CommandRefused): string => {
  if (reason === OUTCOME_UNKNOWN || reason === IN_PROGRESS)
    return `${NOT_KNOWN}${message === "" ? "" : ` (${message})`}.`
  const wrong = errors?.map((one) => `${one.path} ${one.message}`).join("; ") ?? ""
  return `Not done: ${message === "" ? wrong || reason : message}.`
}

/** A command as it is given, and the key under which a press that is handled again finds what it did. */
interface Given extends Pick<Confirmation, "arguments" | "command" | "reason" | "target"> {
  readonly key: string
}

/** Gives a command as who pressed. */
export const giveCommand = (
  { arguments: given, command, key, reason, target }: Given,
  asked: Pick<Asked, "role" | "updateId" | "user">
) =>
  Effect.flatMap(Commands, (commands) =>
    commands
      .give({
        command,
        target,
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- stored, or made, with the arguments of this command
        arguments: given as never,
        reason,
        caller: callerOf(asked.user, asked.role),
        requestId: requestIdOf(asked.updateId),
        key
      })
      .pipe(
        // The attempt of a process that died with it is ended after seconds, and a process that just began takes none yet; the
        // key finds what was done. What failed on its way is not given again: a person who knows decides that.
        Effect.retry({
          while: ({ kind, reason: why }) =>
            why === IN_PROGRESS || (kind === "unavailable" && why !== OUTCOME_UNKNOWN),
          times: telegramLimits.inProgressTimes,
          schedule: Schedule.spaced(telegramLimits.retryFirstMs)
        })
      )
  )

const give = (confirmation: Confirmation, asked: Asked) => {
  const { command, id, target } = confirmation
  // A question of before this was asked.
  if (endsUs(asked.self, command, target)) return Effect.succeed(`Not done. ${USE_CONSOLE}`)
  return giveCommand({ ...confirmation, key: `telegram:${id}` }, asked).pipe(
    Effect.map(({ body }) => doneOf(body)),
    Effect.catchTag("CommandRefused", (refused) => Effect.succeed(refusalOf(refused)))
  )
}

/** A press of a button of a question. Answers in a few words. */
export const confirmControl = (id: string, isYes: boolean, asked: Asked) =>
  Effect.gen(function* () {
    const store = yield* TelegramStore
    const taken = yield* store.takeConfirmation({
      id,
      chat: asked.chat,
      user: asked.user,
      updateId: asked.updateId
    })
    switch (taken._tag) {
      case "Missing":
        return { text: "There is no such question.", isOver: false }
      case "NotYours":
        return { text: "Only who asked may answer.", isOver: false }
      case "Used":
        return { text: "It was answered before.", isOver: false }
      case "Expired":
        return { text: "Too late: nothing was done. Ask again.", isOver: true }
      case "Overdue":
        return { text: `Too late to go on. ${NOT_KNOWN}.`, isOver: true }
      case "Taken":
        return {
          text: isYes ? yield* give(taken.confirmation, asked) : "Nothing was done.",
          isOver: true
        }
    }
  })
