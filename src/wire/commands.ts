/**
 * commands: the bodies and answers of the commands of domain/control/commands.ts, and where the HTTP API takes them.
 *
 * Promises: every command of the list has an endpoint and every endpoint a command, by type; a body has no field that does
 * nothing; what closes positions or stops trading as a whole states why, the others may.
 * Never: decides who may give a command.
 */
import { z } from "zod"
import { REFUSAL_REASONS } from "../domain/intake/refused-post.ts"
import type { CommandName } from "../domain/control/commands.ts"
import { DRILL_FAULT_NAMES, DRILL_FAULTS } from "../domain/control/drill.ts"
import { controlCommands, UNPROTECTED } from "../domain/control/control.ts"
import type { ControlCommand } from "../domain/control/control.ts"
import { APPROVAL_DECISIONS } from "../domain/orders/approval.ts"
import { RESOLUTIONS } from "../domain/orders/order.ts"
import { TRADING_STATES } from "../domain/kernel/trading-state.ts"
import { handEventEndpoints } from "./hand-event.ts"
import { command, type Endpoint, endpoint } from "./endpoint.ts"
import * as operations from "./operations.ts"
import { replayed } from "./replay.ts"
import { stageEndpoints } from "./strategies.ts"
import { edited, EDITED_BYTES_MAX } from "./settings-endpoints.ts"
import { order } from "./trading.ts"
import { count, decimal, oneOf, storable, uuid } from "./words.ts"

const REASON_LENGTH_MAX = 500
const reasonWords = `must be a text of 1 to ${REASON_LENGTH_MAX} characters`
const reason = storable(z.string(reasonWords).trim().min(1, reasonWords).max(REASON_LENGTH_MAX, reasonWords))
const maybeReason = reason.optional().meta({ description: "Why, for the audit." })
const noteWords = `must be a text of at most ${REASON_LENGTH_MAX} characters`

const positiveWords = "must be a decimal number above zero"
const positiveForm = /^(?=.*[1-9])\d{1,18}(\.\d{1,18})?$/
/** Text or a number; a number that JavaScript writes with an exponent was not meant exactly. */
const positive = z
  .union([z.string(), z.number()], positiveWords)
  .refine((given) => positiveForm.test(String(given)), positiveWords)
  .transform(String)

const controlBody = z
  .strictObject({
    confirm: z
      .literal(UNPROTECTED, `must be "${UNPROTECTED}" or absent`)
      .optional()
      .meta({ description: "Carries a pause out although open positions are not protected meanwhile." }),
    reason: maybeReason
  })
  .meta({ id: "ControlBody" })

const controlAnswer = z
  .object({ status: z.literal("ACCEPTED"), path: z.string(), command: z.enum(controlCommands) })
  .meta({ id: "ControlAnswer" })

const tradingStateBody = z
  .strictObject({
    state: oneOf(TRADING_STATES),
    reason,
    scope: storable(z.string().max(200))
      .regex(/^(global|(account|strategy):.+)$/, "must be global, account:<id> or strategy:<name>")
      .optional()
      .meta({ description: "`global` when absent; `account:<id>` or `strategy:<name>`." })
  })
  .meta({ id: "TradingStateBody" })

const acknowledgeBody = z
  .strictObject({
    note: storable(z.string(noteWords).max(REASON_LENGTH_MAX, noteWords)).nullable().optional()
  })
  .meta({ id: "AcknowledgeBody" })

const reasonBody = z.strictObject({ reason: maybeReason }).meta({ id: "ReasonBody" })
const requiredReasonBody = z.strictObject({ reason }).meta({ id: "RequiredReasonBody" })

const resolveBody = z
  .strictObject({
    outcome: oneOf(RESOLUTIONS).meta({
      description:
        "Whether the venue has, or had, the order. One that it does not have is judged again and may be sent once more; one that is `over` is cancelled and keeps its fills."
    }),
    venue_order_id: storable(z.string().trim().min(1, "must not be empty").max(200)).optional(),
    reason
  })
  .meta({ id: "ResolveBody" })

const closeBody = z
  .strictObject({
    quantity: positive.optional().meta({ description: "At most so much; all of it when absent." }),
    reason
  })
  .meta({ id: "CloseBody" })

const adoptBody = z
  .strictObject({
    price: positive.optional().meta({
      description:
        "What the difference is booked at; our own average price, or the last trade's, when absent."
    }),
    reason: maybeReason
  })
  .meta({ id: "AdoptBody" })

/** What a command did to orders. An order that it changed is `orders`' too, as it is now. */
const ordersAnswer = z
  .object({
    status: z.literal("ACCEPTED"),
    orders: z
      .array(order)
      .meta({ description: "Those that it made or changed, and those that do already what it asks." }),
    unresolved: z
      .array(uuid)
      .optional()
      .meta({ description: "Orders whose outcome is not known, which a flatten cannot cancel." })
  })
  .meta({ id: "OrdersAnswer" })

/** What came of the answer about an entry that waited for a human. */
const answeredOrder = ordersAnswer
  .extend({
    decision: z.enum(APPROVAL_DECISIONS),
    price: decimal.nullable().meta({ description: "The price that it was judged again at." }),
    // What keeps it from being sent at once, if anything.
    waits_for: z.string().nullable()
  })
  .meta({ id: "AnsweredOrder" })

const adoptAnswer = z
  .object({
    status: z.literal("ACCEPTED"),
    position_id: uuid,
    quantity_before: z.string(),
    quantity: z.string(),
    price: z.string(),
    fill_id: uuid
  })
  .meta({ id: "AdoptAnswer" })

const unlockAnswer = z
  .object({
    status: z.literal("ACCEPTED"),
    account: z.string(),
    fence: z.string(),
    owner: z.string().nullable().meta({ description: "The life that held it." }),
    free_in_ms: z.number().meta({
      description:
        "When it may be taken: at once by this process if this one held it; else when the process that held it can certainly not send any more."
    })
  })
  .meta({ id: "UnlockAnswer" })

const replayAnswer = z
  .object({
    status: z.literal("ACCEPTED"),
    count,
    signals: z.array(uuid).meta({ description: "What is tried again, at most a page of it." })
  })
  .meta({ id: "ReplayAnswer" })

const replayBody = z
  .strictObject({
    filter: z
      .strictObject({ origin: storable(z.string()).optional(), reason: storable(z.string()).optional() })
      .meta({ description: "Exact matches; `{}` is all of them." }),
    expect_count: count.meta({ description: "How many there are by who asks; another number is a 409." }),
    reason: maybeReason
  })
  .meta({ id: "ReplayBody" })

const replayRefusedBody = z
  .strictObject({
    filter: z
      .strictObject({
        source: storable(z.string()).optional(),
        reason: oneOf(REFUSAL_REASONS).optional(),
        request_id: storable(z.string()).optional()
      })
      .meta({ description: "Exact matches; `{}` is all that were not replayed." }),
    expect_count: count.meta({ description: "How many there are by who asks; another number is a 409." }),
    reason: maybeReason
  })
  .meta({ id: "ReplayRefusedBody" })

const settingsAnswer = z
  .object({
    status: z.literal("ok"),
    version: z.string().meta({ description: "Of the settings in force from now on." }),
    applied: z.array(z.string()).meta({ description: "Settings that changed; none when nothing did." }),
    restart: z.array(z.string()).meta({ description: "Settings that differ and wait for a restart." }),
    components: z
      .object({
        added: z.array(z.string()),
        removed: z.array(z.string()),
        restarted: z.array(z.string()),
        failed: z
          .array(z.object({ path: z.string(), reason: z.string() }))
          .meta({ description: "They do not follow the settings; their supervisor proceeds by its policy." })
      })
      .meta({ description: "Paths of the components that the change added, removed and restarted." })
  })
  .meta({ id: "SettingsAnswer" })

const writeSettingsBody = z.strictObject({ ...edited, reason }).meta({ id: "WriteSettingsBody" })

const drillBody = z
  .strictObject({
    fault: oneOf(DRILL_FAULT_NAMES).meta({
      description: Object.entries(DRILL_FAULTS)
        .map(([name, about]) => `\`${name}\`: ${about}`)
        .join(" ")
    }),
    reason: maybeReason
  })
  .meta({ id: "DrillBody" })

const drillAnswer = z
  .object({
    status: z.literal("ACCEPTED"),
    id: uuid.meta({ description: "Of the drill; its receipt is in the list." }),
    fault: z.string()
  })
  .meta({ id: "DrillAnswer" })

const telegramTested = z
  .object({
    status: z.literal("ACCEPTED"),
    made: z
      .int()
      .meta({ description: "Messages that were made; none for a chat whose last test still waits." })
  })
  .meta({ id: "TelegramTestAnswer" })

const sinkAnswer = z.object({ status: z.literal("ACCEPTED"), sink: z.string() }).meta({ id: "SinkAnswer" })

const post = { ...command, tag: "commands" } as const

const breaker = (name: "open" | "close", summary: string) =>
  endpoint({
    ...post,
    path: `/api/v1/monitoring/circuit-breakers/:id/${name}`,
    name: `${name}CircuitBreaker`,
    summary,
    body: reasonBody,
    answers: { 200: operations.circuitBreaker }
  })

const control = (name: ControlCommand) =>
  endpoint({
    ...post,
    path: `/api/v1/actors/:path/${name}`,
    name: `${name}Actor`,
    summary: `Asks one component to ${name}; the path is percent-encoded.`,
    body: controlBody,
    answers: { 202: controlAnswer }
  })

export const commandEndpoints = {
  "component.restart": control("restart"),
  "component.pause": control("pause"),
  "component.resume": control("resume"),
  ...handEventEndpoints(maybeReason),
  "trading_state.set": endpoint({
    ...post,
    path: "/api/v1/trading-state",
    name: "setTradingState",
    summary: "Sets ACTIVE, REDUCING or HALTED, for all, an account or a strategy; the strictest holds.",
    body: tradingStateBody,
    answers: { 200: operations.tradingState }
  }),
  "order.cancel": endpoint({
    ...post,
    path: "/api/v1/orders/:id/cancel",
    name: "cancelOrder",
    summary: "Takes an order back: at once while it was not sent, else by asking the venue.",
    body: reasonBody,
    answers: { 202: ordersAnswer }
  }),
  "order.approve": endpoint({
    ...post,
    path: "/api/v1/orders/:id/approve",
    name: "approveOrder",
    summary: "Approves an entry that waits for a human, before its deadline; it is judged again at once.",
    body: reasonBody,
    answers: { 202: answeredOrder }
  }),
  "order.decline": endpoint({
    ...post,
    path: "/api/v1/orders/:id/decline",
    name: "declineOrder",
    summary: "Declines an entry that waits for a human; it is never sent.",
    body: reasonBody,
    answers: { 202: answeredOrder }
  }),
  "order.resolve": endpoint({
    ...post,
    path: "/api/v1/orders/:id/resolve",
    name: "resolveOrder",
    summary: "Says of an order that needs an operator whether the venue has it.",
    body: resolveBody,
    answers: { 202: ordersAnswer }
  }),
  "position.close": endpoint({
    ...post,
    path: "/api/v1/positions/:id/close",
    name: "closePosition",
    summary: "Closes a position at the market, one order for each strategy's share; never beyond zero.",
    body: closeBody,
    answers: { 202: ordersAnswer }
  }),
  "position.adopt": endpoint({
    ...post,
    path: "/api/v1/positions/:id/adopt",
    name: "adoptPosition",
    summary: "Takes over the quantity that the venue reports, where all fills do not explain the difference.",
    body: adoptBody,
    answers: { 202: adoptAnswer }
  }),
  "account.flatten": endpoint({
    ...post,
    path: "/api/v1/accounts/:id/flatten",
    name: "flattenAccount",
    summary: "Closes every position of an account and cancels its entries.",
    body: requiredReasonBody,
    answers: { 202: ordersAnswer }
  }),
  "account.unlock": endpoint({
    ...post,
    path: "/api/v1/monitoring/locks/account/:id/unlock",
    name: "unlockAccount",
    summary:
      "Takes an account from whoever holds it: the fence rises at once, and it is executed again when the former executor can certainly not send any more.",
    body: reasonBody,
    answers: { 202: unlockAnswer }
  }),
  "breaker.open": breaker(
    "open",
    "Opens a circuit breaker, `broker:NAME` or `strategy:NAME`, until an operator closes it."
  ),
  "breaker.close": breaker(
    "close",
    "Closes a circuit breaker, whoever opened it; its calls are counted from then on."
  ),
  ...stageEndpoints(requiredReasonBody, reasonBody),
  "alert.acknowledge": endpoint({
    ...post,
    path: "/api/v1/alerts/:id/ack",
    name: "acknowledgeAlert",
    summary: "Notes that somebody has seen an alert, which closes one that is an event.",
    body: acknowledgeBody,
    answers: { 200: operations.alert }
  }),
  "dead_letter.replay": endpoint({
    ...post,
    path: "/api/v1/dead-letters/:id/replay",
    name: "replayDeadLetter",
    summary: "Tries a dead letter again; its identity stays, so nothing is ordered twice.",
    body: reasonBody,
    answers: { 202: replayAnswer }
  }),
  "dead_letters.replay": endpoint({
    ...post,
    path: "/api/v1/dead-letters/replay",
    name: "replayDeadLetters",
    summary: "Tries all dead letters of a filter again, if they are as many as who asks expects.",
    body: replayBody,
    answers: { 202: replayAnswer }
  }),
  "refused_post.replay": endpoint({
    ...post,
    path: "/api/v1/refused/:id/replay",
    name: "replayRefusedPost",
    summary: "Sends a refused post through the intake again, under the identity it came with.",
    body: reasonBody,
    answers: { 202: replayed }
  }),
  "settings.reload": endpoint({
    ...post,
    path: "/api/v1/settings/reload",
    name: "reloadSettings",
    summary: "Reads the configuration again and applies what may change while the service runs.",
    body: reasonBody,
    answers: { 200: settingsAnswer }
  }),
  "settings.back": endpoint({
    ...post,
    path: "/api/v1/settings/back",
    name: "revertSettings",
    summary: "Takes the last change of the settings back.",
    body: requiredReasonBody,
    answers: { 200: settingsAnswer }
  }),
  "settings.write": endpoint({
    ...post,
    path: "/api/v1/settings/write",
    name: "writeSettings",
    summary:
      "Writes an edited configuration file and applies what may change while the service runs, both or neither.",
    body: writeSettingsBody,
    bodyBytesMax: EDITED_BYTES_MAX,
    answers: { 200: settingsAnswer }
  }),
  "drill.run": endpoint({
    ...post,
    path: "/api/v1/drills",
    name: "runDrill",
    summary:
      "Injects a fault in practice mode, sends signals before, during and after it, and writes a receipt of what became of each.",
    body: drillBody,
    answers: { 202: drillAnswer }
  }),
  "sink.test": endpoint({
    ...post,
    path: "/api/v1/sinks/:id/test",
    name: "testSink",
    summary: "Sends a test message to a sink; what came of it is in the list of sinks.",
    body: reasonBody,
    answers: { 202: sinkAnswer }
  }),
  "telegram.test": endpoint({
    ...post,
    path: "/api/v1/telegram/test",
    name: "testTelegram",
    summary:
      "Sends a test message to every chat of the bot that gets alerts; what came of it is in the detail of its component.",
    body: reasonBody,
    answers: { 202: telegramTested }
  }),
  "refused_posts.replay": endpoint({
    ...post,
    path: "/api/v1/refused/replay",
    name: "replayRefusedPosts",
    summary: "Replays all open refused posts of a filter, if they are as many as who asks expects.",
    body: replayRefusedBody,
    answers: { 202: replayed }
  })
} as const satisfies Readonly<Record<CommandName, Endpoint>>
