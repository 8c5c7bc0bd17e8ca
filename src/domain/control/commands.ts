/**
 * commands: whatever an operator may do, as ONE list (T14).
 *
 * The HTTP API, the console and Telegram give the same commands through the same entry, so what a command needs is written
 * once, here: who may give it, what it is about, what is asked before it is carried out. Its body is a schema of
 * src/wire/commands.ts, what it does a function of actors/operators; the compiler holds the three lists together by name. A new
 * command is a row here, a row there and a function.
 *
 * Promises: every command has a permission, a kind of target and a sentence that names its consequence.
 * Never: carries anything out; knows who asks, or by what.
 */
import { Data } from "effect"
import type { Resolution } from "../orders/order.ts"
import type { DrillFault } from "./drill.ts"
import type { FieldError } from "../kernel/field-error.ts"
import type { TradingStateName } from "../kernel/trading-state.ts"

/** What somebody may do, the least first: a viewer reads, an operator gives commands. */
export const PERMISSIONS = ["viewer", "operator"] as const
export type Permission = (typeof PERMISSIONS)[number]

/** What a command is about. `trading`: `global`, `account:<id>` or `strategy:<name>`. */
export type TargetKind =
  | "component"
  | "trading"
  | "alert"
  | "order"
  | "position"
  | "account"
  | "breaker"
  | "dead_letter"
  | "dead_letters"
  | "refused_post"
  | "refused_posts"
  | "settings"
  | "drill"
  | "sink"
  | "strategy"
  | "telegram"

type NoArguments = Readonly<Record<string, never>>

/** What each command is given beside its target and its reason. */
export interface CommandArguments {
  readonly "component.restart": { readonly confirmed: boolean }
  readonly "component.pause": { readonly confirmed: boolean }
  readonly "component.resume": { readonly confirmed: boolean }
  /** An event without data, of those that its machine takes now. */
  readonly "component.send": { readonly event: string }
  readonly "trading_state.set": { readonly state: TradingStateName }
  readonly "alert.acknowledge": { readonly note: string | null }
  readonly "order.cancel": NoArguments
  /** Of an entry that waits for a human (G9). */
  readonly "order.approve": NoArguments
  readonly "order.decline": NoArguments
  readonly "order.resolve": {
    readonly outcome: Resolution
    readonly venue_order_id: string | null
  }
  /** Null: all of it. */
  readonly "position.close": { readonly quantity: string | null }
  /** What the difference is booked at; null where our own average stands for it. */
  readonly "position.adopt": { readonly price: string | null }
  readonly "account.flatten": NoArguments
  readonly "account.unlock": NoArguments
  readonly "breaker.open": NoArguments
  readonly "breaker.close": NoArguments
  /** It becomes a shadow, or trades again (G5). */
  readonly "strategy.demote": NoArguments
  readonly "strategy.promote": NoArguments
  readonly "dead_letter.replay": NoArguments
  readonly "dead_letters.replay": {
    readonly origin: string | null
    readonly reason: string | null
    readonly expect_count: number
  }
  readonly "refused_post.replay": NoArguments
  /** Null: any. */
  readonly "settings.reload": NoArguments
  readonly "settings.back": NoArguments
  /** The whole file as it was edited, and the version that it was made from. */
  readonly "settings.write": { readonly text: string; readonly file_version: string }
  readonly "drill.run": { readonly fault: DrillFault }
  readonly "sink.test": NoArguments
  readonly "telegram.test": NoArguments
  readonly "refused_posts.replay": {
    readonly source: string | null
    readonly reason: string | null
    readonly request_id: string | null
    readonly expect_count: number
  }
}
export type CommandName = keyof CommandArguments

export interface CommandRow {
  readonly permission: Permission
  readonly target: TargetKind
  /** What is asked before it is carried out, with its consequence. */
  readonly confirmation: (target: string) => string
}

const operator = "operator"

export const COMMANDS: { readonly [name in CommandName]: CommandRow } = {
  "component.restart": {
    permission: operator,
    target: "component",
    confirmation: (path) => `Restart ${path}? What it holds is stopped and started again.`
  },
  "component.pause": {
    permission: operator,
    target: "component",
    confirmation: (path) => `Pause ${path}? It does nothing until it is resumed.`
  },
  "component.resume": {
    permission: operator,
    target: "component",
    confirmation: (path) => `Resume ${path}?`
  },
  "component.send": {
    permission: operator,
    target: "component",
    confirmation: (path) =>
      `Send an event to ${path}? In practice mode it acts as if that had happened, until it hears otherwise.`
  },
  "trading_state.set": {
    permission: operator,
    target: "trading",
    confirmation: (scope) =>
      `Change the trading state of ${scope}? REDUCING lets only exits and closes pass, HALTED only what an operator closes; ACTIVE trades again.`
  },
  "alert.acknowledge": {
    permission: operator,
    target: "alert",
    confirmation: (id) => `Acknowledge the alert ${id}? An event is closed by it.`
  },
  "order.cancel": {
    permission: operator,
    target: "order",
    confirmation: (id) => `Cancel the order ${id}? What of it has filled stays filled.`
  },
  "order.approve": {
    permission: operator,
    target: "order",
    confirmation: (id) =>
      `Approve the order ${id}? It is judged again at the price of this moment, and sent if it still may be.`
  },
  "order.decline": {
    permission: operator,
    target: "order",
    confirmation: (id) => `Decline the order ${id}? It is never sent.`
  },
  "order.resolve": {
    permission: operator,
    target: "order",
    confirmation: (id) =>
      `Say what became of the order ${id}? One that is reported as not placed may be sent once more.`
  },
  "position.close": {
    permission: operator,
    target: "position",
    confirmation: (id) => `Close the position ${id} at the market, also while trading is HALTED?`
  },
  "position.adopt": {
    permission: operator,
    target: "position",
    confirmation: (id) => `Take over what the venue reports of the position ${id}? Our own fills differ.`
  },
  "account.flatten": {
    permission: operator,
    target: "account",
    confirmation: (id) =>
      `Close every position of ${id} at the market and cancel its entries, also while trading is HALTED?`
  },
  "account.unlock": {
    permission: operator,
    target: "account",
    confirmation: (id) =>
      `Take the account ${id} from whoever holds it? What that process has under way is looked up at the venue.`
  },
  "breaker.open": {
    permission: operator,
    target: "breaker",
    confirmation: (id) =>
      `Open the circuit breaker ${id}? Its entries are denied until an operator closes it; closes, exits and cancels pass.`
  },
  "breaker.close": {
    permission: operator,
    target: "breaker",
    confirmation: (id) => `Close the circuit breaker ${id}? Its entries pass at once, whatever failed before.`
  },
  "strategy.demote": {
    permission: operator,
    target: "strategy",
    confirmation: (name) =>
      `Make ${name} a shadow? It decides in full and opens nothing until an operator promotes it; what it holds is closed as ever.`
  },
  "strategy.promote": {
    permission: operator,
    target: "strategy",
    confirmation: (name) =>
      `Let ${name} trade again? What it holds on paper is dropped, and its rules count from now on.`
  },
  "dead_letter.replay": {
    permission: operator,
    target: "dead_letter",
    confirmation: (id) => `Try the dead letter ${id} again? Its identity stays, so nothing is ordered twice.`
  },
  "dead_letters.replay": {
    permission: operator,
    target: "dead_letters",
    confirmation: (filter) => `Try all dead letters again (${filter})? Their identities stay.`
  },
  "refused_post.replay": {
    permission: operator,
    target: "refused_post",
    confirmation: (id) =>
      `Send the refused post ${id} through the intake again? It keeps its identity, and its age limit holds.`
  },
  "settings.reload": {
    permission: operator,
    target: "settings",
    confirmation: (target) =>
      `Read the ${target} again? Strategies, limits, sources, symbols, retention, accounts, brokers, feeds and sinks change at once, all or nothing.`
  },
  "settings.back": {
    permission: operator,
    target: "settings",
    confirmation: (target) =>
      `Take the last change of the ${target} back? In the configuration file too where it was written from here; else the file still has it at the next start.`
  },
  "settings.write": {
    permission: operator,
    target: "settings",
    confirmation: (target) =>
      `Write the configuration file and apply the ${target}? Both happen, or neither; what waits for a restart is in the file from now on.`
  },
  "drill.run": {
    permission: operator,
    target: "drill",
    confirmation: (fault) =>
      `Run the drill ${fault}? Practice mode injects the fault, trades a few signals of its own through it, and closes what they opened.`
  },
  "sink.test": {
    permission: operator,
    target: "sink",
    confirmation: (name) => `Send a test message to the sink ${name}? Whoever is behind it sees it.`
  },
  "telegram.test": {
    permission: operator,
    target: "telegram",
    confirmation: (name) => `Send a test message by ${name} to every chat that gets alerts? It has no sound.`
  },
  "refused_posts.replay": {
    permission: operator,
    target: "refused_posts",
    confirmation: (filter) =>
      `Send all refused posts through the intake again (${filter})? They keep their identities.`
  }
}

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the keys of the list, whose type names them
export const COMMAND_NAMES = Object.keys(COMMANDS) as ReadonlyArray<CommandName>

/** Whether `held` is enough for a command. */
export const mayGive = (held: Permission, command: CommandName): boolean =>
  PERMISSIONS.indexOf(held) >= PERMISSIONS.indexOf(COMMANDS[command].permission)

/** What the audit calls the target of a command: `order:<id>`; a trading scope and a filter name themselves. */
export const scopeOf = (command: CommandName, target: string): string => {
  const kind = COMMANDS[command].target
  if (kind === "settings" || kind === "telegram") return kind
  return kind === "trading" ? target : `${kind}:${target}`
}

/** How somebody proved who they are. `telegram`: by the number of their Telegram account; `rule`: the service itself, by a rule of its own. */
export const MEANS = ["token", "session", "local", "telegram", "rule", "none"] as const
export type Means = (typeof MEANS)[number]

/** What carries the words of an operator; of the orders that a command makes it is the source (A3). */
export type CommandOrigin = "api" | "console" | "telegram" | "rule"

/** Who gives a command, and from where. `by` is how rows and lines name them. */
export interface CommandCaller {
  readonly by: string
  readonly origin: CommandOrigin
  readonly means: Means
  readonly address: string | null
  readonly permission: Permission | null
}

export interface CommandRequest<Name extends CommandName = CommandName> {
  readonly command: Name
  /** The path, id, name or scope it is about. */
  readonly target: string
  readonly arguments: CommandArguments[Name]
  readonly reason: string | null
  readonly caller: CommandCaller
  readonly requestId: string
  /** A repetition with the same key is answered as the first one was, and not carried out again. */
  readonly key: string | null
}

/** What a command is answered, as plain JSON. */
export type CommandBody = Readonly<Record<string, unknown>>

/** How an attempt ended. `interrupted`: nobody knows how far it came, because its process died or was stopped. */
export const COMMAND_RESULTS = ["begun", "accepted", "refused", "failed", "interrupted"] as const
export type CommandResult = (typeof COMMAND_RESULTS)[number]

/**
 * A command that was not carried out. `forbidden`: not by who asked; `not_found`: there is no such target; `invalid`: `errors`
 * names what to correct; `conflict`: not in the state that things are in; `unavailable`: not now.
 */
export const REFUSALS = ["forbidden", "not_found", "invalid", "conflict", "unavailable"] as const
export type RefusalKind = (typeof REFUSALS)[number]

/** The `reason` of a refusal after which nobody knows whether it was carried out; of every other one nothing was done. */
export const OUTCOME_UNKNOWN = "outcome_unknown"

export class CommandRefused extends Data.TaggedError("CommandRefused")<{
  readonly kind: RefusalKind
  /** A stable word. */
  readonly reason: string
  /** The same as a sentence; "" where the word is enough. */
  readonly message?: string
  readonly errors?: ReadonlyArray<FieldError>
  /** What else the answer holds. */
  readonly more?: CommandBody
}> {}
