/**
 * The pages that are lists: which endpoint each shows, its columns, its filters, and the commands of a row.
 *
 * A new page of this kind is one entry here, and a line in pages.ts.
 *
 * Promises: a filter is a query parameter of the endpoint, and in the address; the commands are those of the service's list.
 * Never: fetches or draws anything.
 */
import { decimal, duration, gain, instant } from "./format.ts"

export type Row = Readonly<Record<string, unknown>>

export interface Column {
  readonly title: string
  readonly text: (row: Row) => string
  /** Shown as a state, with shape and colour. */
  readonly isState?: true
  readonly isNumber?: true
  /** A link of the console. */
  readonly link?: (row: Row) => string
  /** The full value, for a tooltip. */
  readonly hint?: (row: Row) => string
}

export interface RowCommand {
  readonly label: string
  readonly command: string
  readonly target: (row: Row) => string
  readonly when?: (row: Row) => boolean
  /** What the target is, for people. */
  readonly about?: (row: Row) => string
}

export interface Filter {
  readonly name: string
  /** Free text where null. */
  readonly choices: ReadonlyArray<string> | null
  /** What it takes, where its name does not say it. */
  readonly hint?: string
}

export interface List {
  readonly title: string
  readonly about: string
  readonly path: string
  readonly columns: ReadonlyArray<Column>
  readonly filters: ReadonlyArray<Filter>
  readonly commands: ReadonlyArray<RowCommand>
  /** Commands on all that the filter names; the count is asked for. */
  readonly bulk?: {
    readonly label: string
    readonly command: string
    readonly filters: ReadonlyArray<string>
  }
  /** What a list without rows means. */
  readonly empty: string
}

const text = (row: Row, field: string): string => {
  const value = row[field]
  if (value === null || value === undefined || value === "") return "–"
  return typeof value === "string"
    ? value
    : typeof value === "number" || typeof value === "boolean"
      ? String(value)
      : JSON.stringify(value)
}
const field = (title: string, name: string): Column => ({ title, text: (row) => text(row, name) })
const id = (title: string, name: string, page?: string): Column => ({
  title,
  text: (row) => text(row, name).slice(0, 8),
  hint: (row) => text(row, name),
  ...(page === undefined
    ? {}
    : { link: (row: Row) => (row[name] === null ? "" : `#/${page}/${encodeURIComponent(text(row, name))}`) })
})
const when = (title: string, name: string): Column => ({
  title,
  text: (row) => instant(row[name] as string | null),
  hint: (row) => text(row, name)
})
const state = (title: string, name: string): Column => ({ ...field(title, name), isState: true })
const number = (title: string, name: string): Column => ({
  title,
  text: (row) => decimal(text(row, name).replace("–", "")),
  isNumber: true
})
const profit = (title: string, name: string): Column => ({
  title,
  text: (row) => gain(row[name] as string | null),
  isNumber: true
})
/** Kind of an order and the prices it has: `limit 95.5`, `stop limit 110 112`. */
const placed = (title: string): Column => ({
  title,
  text: (row) => {
    const prices = ["stop_price", "limit_price"].map((name) => decimal(text(row, name).replace("–", "")))
    return [text(row, "type").replace("_", " "), ...prices]
      .filter((word) => word !== "" && word !== "–")
      .join(" ")
  }
})
/** From one instant of a row to another; an en dash where either is not known. */
const took = (title: string, from: string, to: string): Column => ({
  title,
  text: (row) => {
    const ms = Date.parse(text(row, to)) - Date.parse(text(row, from))
    return Number.isNaN(ms) ? "–" : duration(ms)
  },
  isNumber: true
})
const orderOf = (row: Row): string =>
  ["account", "side", "quantity", "symbol"].map((name) => text(row, name)).join(" ")
const target = (name: string) => (row: Row) => text(row, name)
const choice = (name: string, ...choices: ReadonlyArray<string>): Filter => ({ name, choices })
const free = (name: string): Filter => ({ name, choices: null })

const aroundMs = 300_000
/** As long as a report may be. */
const reportMsMax = 172_800_000
/** The report of the time in which something stood, and of a while around it. */
const reportOf = (row: Row, from: string, to: string): string => {
  const end = Date.parse(text(row, to)) + aroundMs
  const begin = Math.max(Date.parse(text(row, from)) - aroundMs, end - reportMsMax)
  if (Number.isNaN(begin)) return ""
  const span = { from: new Date(begin).toISOString(), to: new Date(end).toISOString() }
  return `#/incident?${new URLSearchParams(span).toString()}`
}

/** What a human answers about an order that waits for it. */
const answer = (label: string, command: string): RowCommand => ({
  label,
  command,
  target: target("order_id"),
  about: orderOf,
  when: (row) => row["status"] === "waiting"
})

/** One that is being sent is cancelled when its answer is there. */
const CANCELLABLE = ["intended", "held", "acked", "partially_filled"]

export const lists: Readonly<Record<string, List>> = {
  signals: {
    title: "Signals",
    about:
      "Every post that was taken, newest first. A signal's page shows each check with its numbers: why, and why not.",
    path: "/api/v1/signals",
    columns: [
      when("Received", "received_at"),
      id("Signal", "id", "signals"),
      state("Status", "status"),
      field("Source", "source"),
      field("Symbol", "symbol"),
      field("Action", "action"),
      field("Reason", "reason")
    ],
    filters: [
      choice("status", "buffered", "received", "processing", "done", "rejected", "dead"),
      free("source"),
      free("symbol"),
      choice("kind", "signal", "metadata"),
      {
        ...free("payload"),
        hint: 'any field of the body: a word, or JSON such as {"n": 7}; of the newest 10,000'
      }
    ],
    commands: [],
    empty: "No signal has come yet. Post one to /webhook."
  },
  orders: {
    title: "Orders",
    about: "Every order, newest first, whether it was sent or not.",
    path: "/api/v1/orders",
    columns: [
      when("Created", "created_at"),
      id("Order", "id", "orders"),
      state("Status", "status"),
      field("Account", "account"),
      field("Strategy", "strategy"),
      field("Symbol", "symbol"),
      field("Side", "side"),
      number("Quantity", "quantity"),
      placed("At"),
      number("Filled", "filled_quantity"),
      field("Reason", "reason"),
      id("Signal", "signal_id", "signals")
    ],
    filters: [
      choice(
        "status",
        "intended",
        "held",
        "submitting",
        "acked",
        "partially_filled",
        "pending_cancel",
        "unknown",
        "resolving",
        "needs_operator",
        "denied",
        "withdrawn",
        "expired_unsent",
        "rejected",
        "filled",
        "cancelled",
        "expired"
      ),
      free("account"),
      free("symbol")
    ],
    commands: [
      {
        label: "Cancel",
        command: "order.cancel",
        target: target("id"),
        about: orderOf,
        when: (row) => CANCELLABLE.includes(String(row["status"]))
      },
      {
        label: "Resolve",
        command: "order.resolve",
        target: target("id"),
        about: orderOf,
        when: (row) => row["status"] === "needs_operator"
      }
    ],
    empty: "No order yet."
  },
  approvals: {
    title: "Approvals",
    about:
      "Entries whose strategy asks a human first. Approving judges it again at the price of then; after its deadline an answer changes nothing.",
    path: "/api/v1/approvals",
    columns: [
      when("Asked", "asked_at"),
      id("Order", "order_id", "orders"),
      state("Status", "status"),
      when("Answer by", "answer_by"),
      field("Strategy", "strategy"),
      { title: "What", text: orderOf },
      number("Price", "price"),
      field("Answered by", "decided_by"),
      state("Became", "order_status"),
      field("Reason", "order_reason")
    ],
    filters: [choice("status", "waiting", "approved", "declined", "over"), free("account")],
    commands: [answer("Approve", "order.approve"), answer("Decline", "order.decline")],
    empty: "Nobody was asked about anything: no strategy has `approval` in its settings."
  },
  fills: {
    title: "Fills",
    about: "What the venue executed, newest first.",
    path: "/api/v1/fills",
    columns: [
      when("Time", "recorded_at"),
      id("Fill", "id"),
      field("Account", "account"),
      field("Symbol", "symbol"),
      field("Side", "side"),
      number("Quantity", "quantity"),
      number("Price", "price"),
      profit("Realised", "realised_pnl"),
      number("Fee", "fee"),
      field("Source", "source")
    ],
    filters: [free("account"), free("symbol")],
    commands: [],
    empty: "No fill yet."
  },
  latency: {
    title: "Latency",
    about:
      "The way of each order of a signal, newest first: when its bar ended or it fired, when it was received, decided, sent, acknowledged and filled, and what it cost per unit against the quote it was decided on.",
    path: "/api/v1/latency",
    columns: [
      when("Received", "received"),
      id("Signal", "signal_id", "signals"),
      id("Order", "order_id", "orders"),
      field("Strategy", "strategy"),
      field("Account", "account"),
      field("Symbol", "symbol"),
      state("Status", "status"),
      took("Decided after", "received", "decided"),
      took("Sent after", "decided", "sent"),
      took("Acknowledged after", "sent", "acked"),
      took("Filled after", "acked", "filled"),
      number("Price", "average_price"),
      number("Slippage", "slippage")
    ],
    filters: [free("strategy"), free("account"), free("venue"), free("source"), free("symbol")],
    commands: [],
    empty: "No order of a signal yet."
  },
  waves: {
    title: "Waves",
    about: "The ledger of expected waves, newest first; a wave that was missed names its reason.",
    path: "/api/v1/waves",
    columns: [
      when("Wave", "wave"),
      field("Feed", "feed"),
      when("Due", "due_at"),
      state("Status", "status"),
      field("Late", "late"),
      number("Traded", "successful"),
      number("Failed", "failed"),
      number("Skipped", "skipped"),
      {
        title: "Took",
        text: (row) => (typeof row["duration_ms"] === "number" ? duration(row["duration_ms"]) : "–"),
        isNumber: true
      },
      field("Reason", "reason")
    ],
    filters: [free("feed"), choice("status", "expected", "processing", "done", "missed")],
    commands: [],
    empty: "No wave is expected: no feed has a schedule."
  },
  "dead-letters": {
    title: "Dead letters",
    about:
      "Signals that could not be processed. Trying one again keeps its identity, so nothing is ordered twice.",
    path: "/api/v1/dead-letters",
    columns: [
      when("Created", "created_at"),
      id("Letter", "id"),
      state("Status", "status"),
      field("Origin", "origin"),
      field("Reference", "reference"),
      field("Reason", "reason"),
      field("Payload", "payload")
    ],
    filters: [choice("status", "open", "replayed"), free("origin"), free("reason"), free("reference")],
    commands: [
      {
        label: "Try again",
        command: "dead_letter.replay",
        target: target("id"),
        when: (row) => row["status"] !== "replayed"
      }
    ],
    bulk: {
      label: "Try all of this filter again",
      command: "dead_letters.replay",
      filters: ["origin", "reason"]
    },
    empty: "No dead letters."
  },
  refused: {
    title: "Refused posts",
    about: "Posts of authenticated senders that were not taken, with what was wrong with them.",
    path: "/api/v1/refused",
    columns: [
      when("Received", "received_at"),
      id("Post", "id"),
      state("Status", "status"),
      field("Source", "source"),
      field("Reason", "reason"),
      field("Errors", "errors")
    ],
    filters: [
      choice("status", "open", "replayed"),
      choice("reason", "not_json", "invalid", "conflict", "strategy_unknown"),
      free("source")
    ],
    commands: [
      {
        label: "Replay",
        command: "refused_post.replay",
        target: target("id"),
        when: (row) => row["status"] !== "replayed" && row["cut"] !== true
      }
    ],
    bulk: {
      label: "Replay all of this filter",
      command: "refused_posts.replay",
      filters: ["source", "reason"]
    },
    empty: "No refused posts."
  },
  alerts: {
    title: "Alerts",
    about:
      "What operators are to know. A condition stays open until it ends; an event until somebody acknowledges it.",
    path: "/api/v1/monitoring/alerts",
    columns: [
      when("Last", "last_at"),
      state("Severity", "severity"),
      state("Status", "status"),
      field("Kind", "kind"),
      field("Message", "message"),
      number("Times", "occurrences"),
      when("First", "first_at"),
      field("Acknowledged by", "acknowledged_by"),
      { title: "Report", text: () => "report", link: (row) => reportOf(row, "first_at", "last_at") }
    ],
    filters: [
      choice("status", "open", "acknowledged", "resolved"),
      choice("severity", "LOW", "MEDIUM", "HIGH", "CRITICAL"),
      free("kind")
    ],
    commands: [
      {
        label: "Acknowledge",
        command: "alert.acknowledge",
        target: target("id"),
        about: (row) => text(row, "kind"),
        when: (row) => row["status"] === "open"
      }
    ],
    empty: "No alerts."
  },
  audit: {
    title: "Audit",
    about: "Who did what, from where, why, and with what result.",
    path: "/api/v1/audit",
    columns: [
      when("Begun", "begun_at"),
      field("Command", "command"),
      field("Scope", "scope"),
      state("Result", "result"),
      field("By", "by"),
      field("Means", "means"),
      field("From", "address"),
      field("Reason", "reason")
    ],
    filters: [free("command"), choice("result", "begun", "accepted", "refused", "failed", "interrupted")],
    commands: [],
    empty: "No command was given yet."
  }
}
