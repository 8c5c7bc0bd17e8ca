/**
 * settings-alerts: where alerts are sent, as the settings have it.
 *
 * Promises: as settings.ts, which this is a part of; what a kind of sink needs, or has no use for, is checked where secrets are read
 * (layers/platform/config.alerts.ts).
 * Never: reads a secret that is given by reference.
 */
import { z } from "zod"
import { SEVERITIES, SINK_KINDS } from "../domain/kernel/settings-alerts.ts"
import { secretReference } from "./settings-source.ts"
import { mapOf, text, wholeFrom } from "./settings-words.ts"
import { oneOf } from "./words.ts"

const nameWords = "must be a name of a-z, 0-9, - and _, at most 64 long"
const sinkName = z.string(nameWords).regex(/^[a-z0-9][a-z0-9_-]{0,63}$/, nameWords)
const kindWords = "must be a kind such as `feed.flapping`, or the beginning of kinds such as `order.*`"
const mailWords = "must be a mail address"
const mailAddress = z.string(mailWords).regex(/^[^\s@<>,;"]+@[^\s@<>,;"]+$/, mailWords)

const sink = z
  .strictObject({
    kind: oneOf(SINK_KINDS).meta({ description: "What is at the other end." }),
    url: secretReference.exactOptional().meta({
      description:
        "Where it is: http or https; for `email` the mail server, `smtp://user:password@host:587` or `smtps://`. Chat services put the secret into it, so it is given and hidden as one."
    }),
    secret: secretReference
      .exactOptional()
      .meta({ description: "`webhook`: what posts are signed with (Standard Webhooks)." }),
    path: text
      .exactOptional()
      .meta({ description: "`file`: where lines are appended; a relative path counts from `dataDir`." }),
    from: mailAddress.exactOptional().meta({ description: "`email`: the sender." }),
    to: z
      .array(mailAddress, "must be a list of mail addresses")
      .min(1, "names nobody")
      .exactOptional()
      .meta({ description: "`email`: who gets it." }),
    severityMin: oneOf(SEVERITIES)
      .default("MEDIUM")
      .meta({ description: "The least grave that it is told of." }),
    kinds: z
      .array(
        z.string(kindWords).regex(/^(?:[a-z_]+(?:\.[a-z_]*)?\*?|\*)$/, kindWords),
        "must be a list of kinds"
      )
      .nullable()
      .default(null)
      .meta({
        description:
          "Kinds (docs/alerts.md) that it is told of, `order.*` for all that begin so; null: every kind; an empty list: only what is escalated to it."
      }),
    accounts: z.array(z.string(), "must be a list of accounts").nullable().default(null).meta({
      description: "Of alerts that concern an account, those of these accounts; null: of every account."
    }),
    perMinuteMax: wholeFrom(1, 6_000)
      .default(20)
      .meta({ description: "Messages in a minute. What waits meanwhile is told together, by its kind." })
  })
  .meta({ id: "SinkSettings", description: "One way out for alerts." })
export type SinkFile = z.output<typeof sink>

const escalation = z
  .strictObject({
    afterMs: wholeFrom(1_000, 86_400_000)
      .default(600_000)
      .meta({ description: "How long a CRITICAL alert may be unacknowledged." }),
    to: z
      .array(sinkName, "must be a list of sinks")
      .min(1, "names no sink")
      .meta({ description: "The sinks that are then told of it, once, whatever they are told otherwise." })
  })
  .meta({ id: "EscalationSettings", description: "Who is told when nobody acknowledges a CRITICAL alert." })

const heartbeat = z
  .strictObject({
    url: secretReference.meta({ description: "An http or https URL, which is fetched." }),
    everyMs: wholeFrom(1_000, 3_600_000).default(60_000).meta({ description: "How often." })
  })
  .meta({
    id: "HeartbeatSettings",
    description:
      "A dead man's switch outside, told that this process is healthy or degraded; not while it starts or is unhealthy."
  })

export const alerts = z
  .strictObject({
    sinks: mapOf(sinkName, sink)
      .default({})
      .meta({ description: "Where alerts are sent, besides Telegram." }),
    escalation: escalation.nullable().default(null),
    heartbeat: heartbeat.nullable().default(null)
  })
  .meta({ id: "AlertSettings", description: "Where alerts are sent: docs/alerts.md." })
export type AlertsFile = z.output<typeof alerts>
