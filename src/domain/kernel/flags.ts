/**
 * flags: the features that an operator can switch off, for everything or for one account or strategy.
 *
 * Each is something that trading does without. What is not in this list has no switch on purpose: orders, exits, limits and intake
 * are stopped by trading states and breakers, which say why and by whom, and settings that are an amount or a period keep their own
 * value for "none".
 *
 * Promises: pure; a feature is on unless the settings say otherwise; off anywhere that concerns it is off.
 * Never: decides what a feature does instead.
 */

interface FlagMeaning {
  readonly what: string
  /** What else it can be set for; everything has `global`. */
  readonly scopes: ReadonlyArray<"account" | "strategy">
  /** What health says while it is off for everything; null: nobody misses it there. */
  readonly missed: string | null
}

/** In the order in which they are shown. */
export const FLAGS = {
  canary: {
    what: "The signal that proves the whole path, again and again.",
    scopes: [],
    missed: "the canary is switched off: no signal shows that the whole path works"
  },
  telegram_self_test: {
    what: "The scheduled message of the bot that shows whether messages arrive; a test that is asked for is made all the same.",
    scopes: [],
    missed: "the self-test of Telegram is switched off: nothing shows that messages arrive"
  },
  paper: {
    what: "Fills and resting orders on paper of strategies that run as shadows; what rests is taken back, what is held still closes.",
    scopes: ["account", "strategy"],
    missed: "paper is switched off: a strategy that was demoted cannot earn its way back"
  },
  shadow: {
    what: "Deciding a signal by another engine for comparison.",
    scopes: ["strategy"],
    missed: null
  },
  replay: {
    what: "Making stored decisions again: a new replay is refused, one that runs waits.",
    scopes: [],
    missed: null
  },
  practice: {
    what: "The signals that practice mode sends itself.",
    scopes: [],
    missed: null
  },
  capture: {
    what: "Guards, actions and contexts of transitions in the journal, while somebody watches.",
    scopes: [],
    missed: null
  },
  console: {
    what: "The streams `/api/v1/live` and `/api/v1/events`: who watches is shown out, who comes gets 503.",
    scopes: [],
    missed: null
  },
  decoration: {
    what: "What makes an answer prettier and is not the answer.",
    scopes: [],
    missed: null
  }
} as const satisfies Readonly<Record<string, FlagMeaning>>

export type FlagName = keyof typeof FLAGS
/** Flags that can be set for one of a kind. */
export type ScopedFlag<Kind extends "account" | "strategy"> = {
  [name in FlagName]: Kind extends (typeof FLAGS)[name]["scopes"][number] ? name : never
}[FlagName]

export const FLAG_NAMES = [
  "canary",
  "telegram_self_test",
  "paper",
  "shadow",
  "replay",
  "practice",
  "capture",
  "console",
  "decoration"
] as const satisfies ReadonlyArray<FlagName>

/** What the settings say of flags; what is absent is on. */
export interface FlagSettings {
  readonly features: { readonly [name in FlagName]?: boolean }
  readonly accounts: Readonly<Record<string, { readonly [name in ScopedFlag<"account">]?: boolean }>>
  readonly strategies: Readonly<Record<string, { readonly [name in ScopedFlag<"strategy">]?: boolean }>>
}

/** All is on. */
export const plainFlags: FlagSettings = { features: {}, accounts: {}, strategies: {} }

interface FlagPlace {
  readonly account?: string
  readonly strategy?: string
}

type Given = { readonly [name in FlagName]?: boolean }

const of = (entries: Readonly<Record<string, Given>>, name: string | undefined): Given =>
  name !== undefined && Object.hasOwn(entries, name) ? (entries[name] ?? {}) : {}

/** Whether a feature is on, there. */
export const isOn = (flags: FlagSettings, name: FlagName, place: FlagPlace = {}): boolean =>
  [flags.features, of(flags.accounts, place.account), of(flags.strategies, place.strategy)].every(
    (given: Given) => given[name] !== false
  )

/** One line of the list of flags. */
export interface FlagLine {
  readonly name: FlagName
  /** `global`, `account:<id>` or `strategy:<name>`. */
  readonly scope: string
  /** Where the settings have it. */
  readonly path: ReadonlyArray<string>
  readonly on: boolean
  /** The settings say so; else it is the default. */
  readonly isSet: boolean
}

/** Every feature for everything, and whatever is set for less. */
export const flagLines = (flags: FlagSettings): ReadonlyArray<FlagLine> => {
  const line = (name: FlagName, scope: string, path: ReadonlyArray<string>, given: Given): FlagLine => ({
    name,
    scope,
    path: [...path, name],
    on: given[name] !== false,
    isSet: given[name] !== undefined
  })
  const scoped = (
    kind: "account" | "strategy",
    field: "accounts" | "strategies",
    entries: Readonly<Record<string, Given>>
  ) =>
    Object.entries(entries).flatMap(([id, given]) =>
      FLAG_NAMES.filter((name) => given[name] !== undefined).map((name) =>
        line(name, `${kind}:${id}`, [field, id], given)
      )
    )
  return [
    ...FLAG_NAMES.map((name) => line(name, "global", ["features"], flags.features)),
    ...scoped("account", "accounts", flags.accounts),
    ...scoped("strategy", "strategies", flags.strategies)
  ]
}
