/**
 * Telegram machine: how the bot gets its updates, and what it does when it gets none.
 *
 * A bot that looks alive while nobody is answered was an incident. So there are two ways to updates, the webhook and the poll, and
 * each way in which they end is a state with a name: a refused token, another poller, a limit, a webhook that does not deliver.
 * What is done with updates and messages runs beside these states and does not stop with them.
 *
 * Promises: a webhook that does not deliver is replaced by polling, and tried again, and polling stands in for it until it has
 * delivered something; a token that is refused is retried slowly and alerted; another poller stays an alert until nobody has disturbed a
 * whole poll; nothing is received while it could not be stored.
 * Never: reads an update.
 * States: WaitingForDatabase -> Checking -> Polling | OpeningWebhook -> WebhookSet <-> Verifying -> FallingBack -> Polling ->
 * OpeningWebhook; all -> BackingOff | RateLimited | Conflict | CredentialRefused -> Checking.
 */
import { assign, enqueueActions, setup } from "xstate"
import { telegramLimits } from "../../domain/operators/telegram-limits.ts"
import { slot, streamSlot } from "../slot.ts"

export interface TelegramInput {
  /** Updates come to a webhook, where the settings name one. */
  readonly wantsWebhook: boolean
}

export interface TelegramContext extends TelegramInput {
  /** Failures in a row. */
  readonly attempt: number
  readonly retryMs: number
  /** Looks in a row that found the webhook wanting. */
  readonly strikes: number
  /** The webhook failed, and has not delivered since: polling stands in for it, or it is being tried. */
  readonly fallback: boolean
  /** Another program polls as well, as far as is known. */
  readonly contested: boolean
  /** How long polls have gone on since it disturbed one. */
  readonly calmMs: number
  readonly updates: number
  /** Why commands are unanswered; null: they are answered. */
  readonly unanswered: string | null
  /** Why people are not told; null: messages arrive. */
  readonly undelivered: string | null
  /** What Telegram reports of the webhook; null: no trouble. */
  readonly webhookTrouble: string | null
  readonly lastError: string | null
}

export type TelegramEvent =
  | { readonly type: "database.available" }
  | { readonly type: "database.unavailable" }
  | {
      readonly type: "path.measured"
      readonly unanswered: string | null
      readonly undelivered: string | null
    }

/** What an operator should know. */
export interface TelegramAlert {
  readonly kind: "telegram.credentials_refused" | "telegram.conflict" | "telegram.webhook_failing"
  readonly severity: "MEDIUM" | "HIGH"
  readonly message: string
}

/** That updates arrive again, by this way. */
export interface TelegramNews {
  readonly via: "poll" | "webhook"
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** The kind of a failure of the Bot API; "other" for any other error. */
const kindOf = (error: unknown): string =>
  typeof error === "object" && error !== null && "kind" in error ? String(error.kind) : "other"

const retryAfterOf = (error: unknown): number =>
  typeof error === "object" && error !== null && "retryAfterMs" in error ? Number(error.retryAfterMs) : 0

interface WebhookLook {
  /** Null: there is none. */
  readonly trouble: string | null
}

interface Polled {
  /** New updates that it stored. */
  readonly stored: number
  /** How long nobody disturbed it. */
  readonly ms: number
}

const telegram = setup({
  types: {
    context: {} as TelegramContext,
    events: {} as TelegramEvent,
    input: {} as TelegramInput,
    tags: {} as "starting" | "ready" | "degraded" | "backingOff" | "resting"
  },
  actors: {
    watchDatabase: streamSlot<Record<string, never>>(),
    /** Handles stored updates, one after the other in each chat. */
    handling: streamSlot<Record<string, never>>(),
    /** Sends what waits to be sent. */
    sending: streamSlot<Record<string, never>>(),
    /** Makes messages about alerts. */
    notifying: streamSlot<Record<string, never>>(),
    /** Whether commands come through. */
    measuring: streamSlot<Record<string, never>>(),
    /** Whether the token is good. */
    check: slot<Record<string, never>, void>(),
    openWebhook: slot<Record<string, never>, void>(),
    closeWebhook: slot<Record<string, never>, void>(),
    /** What Telegram reports; with `proof`, also whether a post arrives here. */
    verify: slot<{ readonly proof: boolean }, WebhookLook>(),
    /** One poll. */
    poll: slot<Record<string, never>, Polled>()
  },
  actions: {
    /** `retryMs` null: later each time, and not before Telegram says. */
    noteFailure: assign(
      ({ context }, { error, retryMs }: { readonly error: unknown; readonly retryMs: number | null }) => {
        const attempt = context.attempt + 1
        const doubled = telegramLimits.retryFirstMs * 2 ** Math.min(context.attempt, 20)
        const plannedMs = Math.max(retryAfterOf(error), Math.min(telegramLimits.retryMsMax, doubled))
        return { attempt, retryMs: retryMs ?? plannedMs, lastError: textOf(error) }
      }
    ),
    noteConflict: assign({ contested: true, calmMs: 0 }),
    /** Whoever else polls would have ended a poll of ours by now. */
    notePoll: assign(({ context }, { ms, stored }: Polled) => {
      const calmMs = context.contested ? context.calmMs + ms : 0
      return {
        attempt: 0,
        lastError: null,
        updates: context.updates + stored,
        calmMs,
        contested: context.contested && calmMs < telegramLimits.calmMsMin
      }
    }),
    raise: (_of, _alert: TelegramAlert) => {},
    logNews: (_of, _news: TelegramNews) => {}
  },
  guards: {
    wantsWebhook: ({ context }) => context.wantsWebhook && !context.fallback,
    fellBack: ({ context }) => context.fallback
  },
  delays: {
    callDeadline: 2 * telegramLimits.callMsMax,
    pollDeadline: telegramLimits.pollMsMax + telegramLimits.callMsMax,
    retry: ({ context }) => context.retryMs,
    nextLook: telegramLimits.verifyEveryMs,
    webhookAgain: telegramLimits.webhookAgainMs
  }
})

/** The event of a failed effect. */
interface Failure {
  readonly event: { readonly error: unknown }
}
const isOf =
  (kind: string) =>
  ({ event }: Failure): boolean =>
    kindOf(event.error) === kind

const failed = {
  type: "noteFailure",
  params: ({ event }: Failure) => ({ error: event.error, retryMs: null })
} as const
const failedFor = (retryMs: number) =>
  ({ type: "noteFailure", params: ({ event }: Failure) => ({ error: event.error, retryMs }) }) as const

const raised = (kind: TelegramAlert["kind"], what: string) =>
  ({
    type: "raise",
    params: ({ event }: Failure): TelegramAlert => ({
      kind,
      severity: "HIGH",
      message: `${what}: ${textOf(event.error)}`
    })
  }) as const

/** What a failed call leads to, whichever it was. */
const onFailure = [
  {
    guard: isOf("credentials"),
    target: "#telegram.CredentialRefused",
    actions: [
      failedFor(telegramLimits.credentialRetryMs),
      raised("telegram.credentials_refused", "Telegram refuses the token of the bot")
    ]
  },
  {
    guard: isOf("conflict"),
    target: "#telegram.Conflict",
    actions: [
      failedFor(telegramLimits.conflictRetryMs),
      "noteConflict",
      raised("telegram.conflict", "somebody else receives the updates of the bot, with the same token")
    ]
  },
  { guard: isOf("rate"), target: "#telegram.RateLimited", actions: failed },
  { target: "#telegram.BackingOff", actions: failed }
] as const

const late = {
  target: "#telegram.BackingOff",
  actions: { type: "noteFailure", params: { error: "no answer in time", retryMs: null } }
} as const

export const telegramMachine = telegram.createMachine({
  id: "telegram",
  context: ({ input }) => ({
    ...input,
    attempt: 0,
    retryMs: telegramLimits.retryFirstMs,
    strikes: 0,
    fallback: false,
    contested: false,
    calmMs: 0,
    updates: 0,
    unanswered: null,
    undelivered: null,
    webhookTrouble: null,
    lastError: null
  }),
  invoke: [
    { src: "watchDatabase", input: {} },
    { src: "handling", input: {} },
    { src: "sending", input: {} },
    { src: "notifying", input: {} },
    { src: "measuring", input: {} }
  ],
  on: {
    "database.unavailable": { target: ".WaitingForDatabase" },
    // News only to the state that waits for it; elsewhere ignored on purpose.
    "database.available": {},
    "path.measured": {
      actions: assign({
        unanswered: ({ event }) => event.unanswered,
        undelivered: ({ event }) => event.undelivered
      })
    }
  },
  initial: "WaitingForDatabase",
  states: {
    WaitingForDatabase: {
      description: "The database is away: an update that could not be stored stays with Telegram.",
      tags: ["degraded", "resting"],
      on: { "database.available": "Checking", "database.unavailable": {} }
    },
    Checking: {
      description: "Asks Telegram who the bot is, which proves the token.",
      tags: ["starting", "degraded"],
      invoke: {
        src: "check",
        input: {},
        onDone: [{ guard: "wantsWebhook", target: "OpeningWebhook" }, { target: "ClosingWebhook" }],
        onError: onFailure
      },
      after: { callDeadline: late }
    },
    ClosingWebhook: {
      description: "A webhook that is still set would keep every poll from getting anything.",
      tags: ["starting", "degraded"],
      invoke: { src: "closeWebhook", input: {}, onDone: "Polling", onError: onFailure },
      after: { callDeadline: late }
    },
    Polling: {
      description: "One long poll after the other: each stores what it brought before the next confirms it.",
      initial: "Asking",
      // A webhook that failed is tried again while nothing is lost by it.
      after: { webhookAgain: { guard: "fellBack", target: "OpeningWebhook" } },
      states: {
        Asking: {
          description: "A long poll is under way, or its updates are being stored.",
          tags: "ready",
          invoke: {
            src: "poll",
            input: {},
            onDone: {
              target: "Asking",
              reenter: true,
              actions: [
                { type: "notePoll", params: ({ event }) => event.output },
                { type: "logNews", params: { via: "poll" } }
              ]
            },
            onError: onFailure
          },
          after: { pollDeadline: late }
        }
      }
    },
    OpeningWebhook: {
      description: "Tells Telegram where to post updates, and with which secret.",
      tags: ["starting", "degraded"],
      invoke: {
        src: "openWebhook",
        input: {},
        onDone: { target: "Verifying", actions: assign({ strikes: 0 }) },
        onError: [
          {
            guard: isOf("refused"),
            target: "FallingBack",
            actions: assign({ webhookTrouble: ({ event }) => textOf(event.error) })
          },
          ...onFailure
        ]
      },
      after: { callDeadline: late }
    },
    WebhookSet: {
      description: "Telegram posts updates to us; a look at what it reports of that is scheduled.",
      tags: "ready",
      after: { nextLook: "Verifying" }
    },
    Verifying: {
      description:
        "Asks Telegram whether its posts are answered and nothing piles up; of a webhook that failed, whether one arrives here.",
      tags: "ready",
      invoke: {
        src: "verify",
        input: ({ context }) => ({ proof: context.fallback }),
        onDone: [
          {
            guard: ({ event }) => event.output.trouble === null,
            target: "WebhookSet",
            actions: [
              // While a webhook is set nobody else can poll.
              assign({
                attempt: 0,
                strikes: 0,
                fallback: false,
                contested: false,
                webhookTrouble: null,
                lastError: null
              }),
              { type: "logNews", params: { via: "webhook" } }
            ]
          },
          {
            guard: ({ context }) => context.strikes + 1 >= telegramLimits.webhookStrikes,
            target: "FallingBack",
            actions: assign({ webhookTrouble: ({ event }) => event.output.trouble })
          },
          {
            target: "WebhookSet",
            actions: assign({
              strikes: ({ context }) => context.strikes + 1,
              webhookTrouble: ({ event }) => event.output.trouble
            })
          }
        ],
        onError: onFailure
      },
      after: { callDeadline: late }
    },
    FallingBack: {
      description: "The webhook does not deliver: it is deleted, its updates stay, and polling gets them.",
      tags: ["starting", "degraded"],
      entry: enqueueActions(({ context, enqueue }) => {
        enqueue.assign({ fallback: true })
        enqueue({
          type: "raise",
          params: {
            kind: "telegram.webhook_failing",
            severity: "MEDIUM",
            message: `Telegram does not reach the webhook, so the bot polls: ${context.webhookTrouble ?? "no reason known"}`
          }
        })
      }),
      invoke: { src: "closeWebhook", input: {}, onDone: "Polling", onError: onFailure },
      after: { callDeadline: late }
    },
    RateLimited: {
      description: "Telegram named the time before which it takes no call.",
      tags: "backingOff",
      after: { retry: "Checking" }
    },
    Conflict: {
      description: "Another program receives the updates of this bot: only one may.",
      tags: ["backingOff", "degraded"],
      after: { retry: "Checking" }
    },
    CredentialRefused: {
      description: "The token is refused: retried slowly, because only a person can change it.",
      tags: ["backingOff", "degraded"],
      after: { retry: "Checking" }
    },
    BackingOff: {
      description: "Telegram did not answer, or not usefully; the next attempt follows, later each time.",
      tags: ["backingOff", "degraded"],
      after: { retry: "Checking" }
    }
  }
})
