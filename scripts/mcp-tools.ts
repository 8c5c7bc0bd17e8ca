/**
 * MCP tools: what an assistant may ask a running service, each as one read of its HTTP API.
 *
 * Promises: every tool only reads; its arguments are checked before anything is asked; the answer is the service's own text.
 * Never: gives a command; holds anything between two calls.
 */
import { z } from "zod"
import { JOURNAL_TYPES } from "../src/domain/platform/journal.ts"
import { SIGNAL_STATUSES } from "../src/domain/signals/signal-status.ts"
import { actor } from "../src/wire/operations.ts"
import { page } from "../src/wire/page.ts"
import { messageOf, type ServiceClient } from "./service-client.ts"
import { textOf } from "./tree-text.ts"

/** What a tool answers. `failed`: the service refused, or could not be asked. */
export interface ToolAnswer {
  readonly text: string
  readonly failed: boolean
}

interface Tool {
  readonly name: string
  readonly description: string
  readonly input: z.ZodObject
  readonly target: (given: Readonly<Record<string, unknown>>) => string
  /** The answer of the service as it is shown; as it came when left out. */
  readonly shown?: (text: string) => string
}

const text = z.string().min(1).max(200)
const limit = z.int().min(1).max(200).default(50).describe("How many at most.")

const query = (given: Readonly<Record<string, unknown>>): string => {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(given))
    if (typeof value === "string" || typeof value === "number") parameters.set(name, String(value))
  return parameters.toString()
}

const treeText = (body: string): string => {
  const found = page(actor).safeParse(JSON.parse(body))
  // A service of another version: its own words are better than none.
  return found.success ? textOf(found.data.items) : body
}

export const tools: ReadonlyArray<Tool> = [
  {
    name: "health",
    description: "Whether the service is healthy, ready and may trade, with the reasons, as JSON.",
    input: z.strictObject({}),
    target: () => "/health"
  },
  {
    name: "tree",
    description:
      "The supervision tree, one line for each component: + ready, - not ready, x given up; its state, since when, restarts, last error.",
    input: z.strictObject({}),
    target: () => "/api/v1/actors",
    shown: treeText
  },
  {
    name: "component",
    description:
      "One component as JSON: its state, what it waits for and until when, its last transitions, its restarts with their causes.",
    input: z.strictObject({ path: text.describe("As the tree names it, such as root/trading/market.") }),
    target: ({ path }) => `/api/v1/actors/${encodeURIComponent(String(path))}`
  },
  {
    name: "signals",
    description: "Signals, newest first, as JSON.",
    input: z.strictObject({
      status: z.enum(SIGNAL_STATUSES).optional(),
      source: text.optional(),
      symbol: text.optional(),
      limit
    }),
    target: (given) => `/api/v1/signals?${query(given)}`
  },
  {
    name: "why",
    description:
      "Why a signal was or was not ordered, in plain sentences: the answer first, then every check with its numbers, each order, its exits.",
    input: z.strictObject({ signal_id: z.guid().describe("Its id, as the 201 or the tool signals has it.") }),
    target: ({ signal_id }) => `/api/v1/signals/${String(signal_id)}/why`
  },
  {
    name: "events",
    description:
      "The journal as JSON: every transition, restart, alert, order and health change; newest first, after `since` oldest first.",
    input: z.strictObject({
      path: text.optional().describe("A component and all below it."),
      type: z.enum(JOURNAL_TYPES).optional(),
      since: text.optional().describe("A number of the journal, or an instant such as 2026-01-31T09:30:00Z."),
      limit
    }),
    target: (given) => `/api/v1/events?${query(given)}`
  }
]

/** Asks the service what a tool is about. */
export const callTool = async (
  service: Pick<ServiceClient, "base" | "read">,
  tool: Tool,
  given: Readonly<Record<string, unknown>>
): Promise<ToolAnswer> => {
  try {
    const { status, text } = await service.read(tool.target(given))
    // Health answers 503 with its document, which is what is asked for.
    if (status !== 200 && !(tool.name === "health" && status === 503))
      return { text: `${service.base} answered ${status}: ${text}`, failed: true }
    return { text: tool.shown?.(text) ?? text, failed: false }
  } catch (error) {
    return { text: `${service.base} could not be asked: ${messageOf(error)}`, failed: true }
  }
}
