/**
 * tree-change: which components a change of the settings adds, removes and restarts, and which accounts it concerns.
 *
 * Accounts, brokers, feeds and sinks are components, so a reload that changes them changes the tree. What it does is planned here as a
 * whole before anything is touched, so that it can be refused as a whole, and be tested without a tree.
 *
 * Promises: pure; every component is in one of the three lists at most; a component that uses another is named after it, as in
 * the tree: what is added starts from first to last, what is removed stops from last to first.
 * Never: judges whether the change is allowed (settings-names.ts, the reloader and the rows of the accounts do).
 */
import { sinkPath } from "../alerts/outbox-route.ts"
import type { AccountSettings, BrokerSettings, FeedSettings, Settings } from "../kernel/settings.ts"
import { isSameSetting } from "../kernel/settings-change.ts"

/** In the order of the tree: a kind uses only those before it. */
export const COMPONENT_KINDS = [
  "sink",
  "heartbeat",
  "signal-server",
  "feed",
  "waves",
  "paper-venue",
  "broker",
  "account",
  "voter"
] as const
export type ComponentKind = (typeof COMPONENT_KINDS)[number]

/** A component that is made from an entry of the settings. */
export interface SettingsComponent {
  readonly kind: ComponentKind
  /** Of the entry. */
  readonly name: string
  /** In the tree. */
  readonly path: string
}

/** Account ids by what happens to them. */
export interface AccountsChange {
  readonly added: ReadonlyArray<string>
  readonly changed: ReadonlyArray<string>
  readonly removed: ReadonlyArray<string>
  /** They stay, and their broker is to be reached elsewhere or follows another rule: what is at the venue may not be found there. */
  readonly moved: ReadonlyArray<string>
}

export interface TreeChange {
  readonly added: ReadonlyArray<SettingsComponent>
  readonly removed: ReadonlyArray<SettingsComponent>
  readonly restarted: ReadonlyArray<SettingsComponent>
  readonly accounts: AccountsChange
}

const pathOf = (kind: ComponentKind, name: string): string => {
  switch (kind) {
    case "account":
      return `root/trading/accounts/${name}`
    case "broker":
      return `root/trading/brokers/${name}`
    case "sink":
      return sinkPath(name)
    case "heartbeat":
      return "root/operators/heartbeat"
    case "paper-venue":
    case "voter":
      return `root/trading/${kind}:${name}`
    default:
      return `root/feeds/${kind}:${name}`
  }
}

interface Entries {
  readonly added: ReadonlyArray<string>
  readonly changed: ReadonlyArray<string>
  readonly removed: ReadonlyArray<string>
}

const none: Entries = { added: [], changed: [], removed: [] }

const entriesOf = <A>(before: Readonly<Record<string, A>>, next: Readonly<Record<string, A>>): Entries => ({
  added: Object.keys(next).filter((name) => !Object.hasOwn(before, name)),
  changed: Object.keys(next).filter(
    (name) => Object.hasOwn(before, name) && !isSameSetting(before[name], next[name])
  ),
  removed: Object.keys(before).filter((name) => !Object.hasOwn(next, name))
})

type Fate = "added" | "removed" | "restarted"

/** What becomes of a component that exists only for entries without an address: a paper venue, a signal server. */
const fateInside = <A extends { readonly url: string | null }>(
  before: A | undefined,
  next: A | undefined,
  mustRestart: (before: A, next: A) => boolean
): Fate | null => {
  const was = before?.url === null
  const is = next?.url === null
  if (!was && !is) return null
  if (!was) return "added"
  if (!is) return "removed"
  return mustRestart(before, next) ? "restarted" : null
}

const brokerMoves = (before: BrokerSettings, next: BrokerSettings): boolean =>
  before.kind !== next.kind || before.url !== next.url || before.rule !== next.rule

/** Accounts that are there before and after, at one of these brokers. */
const staying = (before: Settings, next: Settings, brokers: ReadonlySet<string>): ReadonlyArray<string> =>
  Object.entries(next.accounts).flatMap(([id, { broker }]) =>
    brokers.has(broker) && Object.hasOwn(before.accounts, id) ? [id] : []
  )

/** Embedded brokers of which some account is to have another starting cash: their venue books it when it starts. */
const paidInto = (before: Settings, next: Settings, changed: ReadonlyArray<string>): ReadonlySet<string> =>
  new Set(
    changed.flatMap((id) => {
      const account = next.accounts[id]
      return account !== undefined && account.startingCash !== before.accounts[id]?.startingCash
        ? [account.broker]
        : []
    })
  )

/** `enabled` is in the account's row, which a permit reads. */
const restartsAccount = (before: AccountSettings | undefined, next: AccountSettings | undefined): boolean =>
  !isSameSetting({ ...before, enabled: true }, { ...next, enabled: true })

type Put = (kind: ComponentKind, name: string, fate: Fate | null) => void

const planTrading = (before: Settings, next: Settings, put: Put): AccountsChange => {
  const accounts = entriesOf(before.accounts, next.accounts)
  const brokers = entriesOf(before.brokers, next.brokers)
  const paid = paidInto(before, next, accounts.changed)
  for (const name of new Set([...Object.keys(before.brokers), ...Object.keys(next.brokers)])) {
    const restarts = (a: BrokerSettings, b: BrokerSettings) => a.rule !== b.rule || paid.has(name)
    put("paper-venue", name, fateInside(before.brokers[name], next.brokers[name], restarts))
  }
  const all = { accounts, brokers }
  for (const [kind, entries] of [
    ["broker", all.brokers] as const,
    ["account", all.accounts] as const,
    ["voter", entriesOf(before.voters, next.voters)] as const
  ]) {
    for (const name of entries.added) put(kind, name, "added")
    for (const name of entries.removed) put(kind, name, "removed")
    for (const name of entries.changed)
      if (kind !== "account" || restartsAccount(before.accounts[name], next.accounts[name]))
        put(kind, name, "restarted")
  }
  // An executor keeps the connection it was started with.
  for (const id of staying(before, next, new Set(brokers.changed))) put("account", id, "restarted")
  const moved = brokers.changed.filter((name) => {
    const [was, is] = [before.brokers[name], next.brokers[name]]
    return was !== undefined && is !== undefined && brokerMoves(was, is)
  })
  return { ...accounts, moved: staying(before, next, new Set(moved)) }
}

const planFeeds = (before: Settings, next: Settings, put: Put): void => {
  const feeds = entriesOf(before.feeds, next.feeds)
  const restarts = (a: FeedSettings, b: FeedSettings) => a.practiceSignals !== b.practiceSignals
  if (next.roles.has("feeds")) {
    for (const name of new Set([...Object.keys(before.feeds), ...Object.keys(next.feeds)]))
      put("signal-server", name, fateInside(before.feeds[name], next.feeds[name], restarts))
    for (const name of feeds.added) put("feed", name, "added")
    for (const name of feeds.removed) put("feed", name, "removed")
    for (const name of feeds.changed) put("feed", name, "restarted")
  }
  if (next.roles.has("waves")) {
    // A scheduler reads nothing of its feed's settings.
    for (const name of feeds.added) put("waves", name, "added")
    for (const name of feeds.removed) put("waves", name, "removed")
  }
}

/** Every process has all of them: which one sends is decided by the rows. */
const planAlerts = ({ alerts: before }: Settings, { alerts: next }: Settings, put: Put): void => {
  const sinks = entriesOf(before.sinks, next.sinks)
  for (const name of sinks.added) put("sink", name, "added")
  for (const name of sinks.removed) put("sink", name, "removed")
  for (const name of sinks.changed) put("sink", name, "restarted")
  const beats = entriesOf(
    before.heartbeat === null ? {} : { heartbeat: before.heartbeat },
    next.heartbeat === null ? {} : { heartbeat: next.heartbeat }
  )
  for (const name of beats.added) put("heartbeat", name, "added")
  for (const name of beats.removed) put("heartbeat", name, "removed")
  for (const name of beats.changed) put("heartbeat", name, "restarted")
}

/** What changes in the tree between two settings with the same roles. */
export const treeChange = (before: Settings, next: Settings): TreeChange => {
  const fates = new Map<string, { readonly fate: Fate; readonly component: SettingsComponent }>()
  const put: Put = (kind, name, fate) => {
    const path = pathOf(kind, name)
    if (fate !== null && !fates.has(path)) fates.set(path, { fate, component: { kind, name, path } })
  }
  const accounts = next.roles.has("accounts") ? planTrading(before, next, put) : { ...none, moved: [] }
  if (next.roles.has("feeds") || next.roles.has("waves")) planFeeds(before, next, put)
  planAlerts(before, next, put)
  const of = (wanted: Fate): ReadonlyArray<SettingsComponent> =>
    COMPONENT_KINDS.flatMap((kind) =>
      [...fates.values()].flatMap(({ component, fate }) =>
        fate === wanted && component.kind === kind ? [component] : []
      )
    )
  return { added: of("added"), removed: of("removed"), restarted: of("restarted"), accounts }
}

/** Whether any component comes, goes or restarts. */
export const changesTree = ({ added, removed, restarted }: TreeChange): boolean =>
  added.length + removed.length + restarted.length > 0
