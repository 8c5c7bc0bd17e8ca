/**
 * The pages of the console, in the order of the navigation. A new page is one line here.
 *
 * Promises: names are the addresses of the contract (`#/tree`); `key` after `g` opens a page.
 * Never: two pages with one name or key.
 */
import type { Component } from "svelte"
import Accounts from "../pages/accounts.svelte"
import Database from "../pages/database.svelte"
import Drills from "../pages/drills.svelte"
import Experiments from "../pages/experiments.svelte"
import Feeds from "../pages/feeds.svelte"
import Incident from "../pages/incident.svelte"
import JournalPage from "../pages/journal.svelte"
import Latency from "../pages/latency.svelte"
import ListPage from "../pages/list-page.svelte"
import Machine from "../pages/machine.svelte"
import Orders from "../pages/orders.svelte"
import Overview from "../pages/overview.svelte"
import Replay from "../pages/replay.svelte"
import Settings from "../pages/settings.svelte"
import Signals from "../pages/signals.svelte"
import Sources from "../pages/sources.svelte"
import Tree from "../pages/tree.svelte"

export interface Page {
  readonly name: string
  readonly title: string
  readonly key: string
  readonly component: Component
  /** Reached by links only. */
  readonly isHidden?: true
}

export const pages: ReadonlyArray<Page> = [
  { name: "", title: "Overview", key: "h", component: Overview },
  { name: "tree", title: "Tree", key: "t", component: Tree },
  { name: "machine", title: "Machine", key: "m", component: Machine, isHidden: true },
  { name: "signals", title: "Signals", key: "s", component: Signals },
  { name: "sources", title: "Sources", key: "c", component: Sources },
  { name: "orders", title: "Orders", key: "o", component: Orders },
  { name: "approvals", title: "Approvals", key: "q", component: ListPage },
  { name: "fills", title: "Fills", key: "f", component: ListPage },
  { name: "latency", title: "Latency", key: "y", component: Latency },
  { name: "accounts", title: "Accounts", key: "a", component: Accounts },
  { name: "feeds", title: "Feeds", key: "n", component: Feeds },
  { name: "waves", title: "Waves", key: "w", component: ListPage },
  { name: "journal", title: "Journal", key: "j", component: JournalPage },
  { name: "experiments", title: "Experiments", key: "x", component: Experiments },
  { name: "replay", title: "Replay", key: "p", component: Replay },
  { name: "incident", title: "Incident", key: "i", component: Incident },
  { name: "drills", title: "Drills", key: "v", component: Drills },
  { name: "dead-letters", title: "Dead letters", key: "d", component: ListPage },
  { name: "refused", title: "Refused", key: "r", component: ListPage },
  { name: "alerts", title: "Alerts", key: "l", component: ListPage },
  { name: "audit", title: "Audit", key: "u", component: ListPage },
  { name: "database", title: "Database", key: "b", component: Database },
  { name: "settings", title: "Settings", key: "e", component: Settings }
]
