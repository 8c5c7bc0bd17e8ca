/**
 * settings-source: one source of signals, as the settings have it.
 *
 * Promises: as settings.ts, which this is a part of; a preset is a set of keys as a source would write them, and a key that the
 * source names replaces the preset's whole.
 * Never: reads a secret that is given by reference (layers/platform/config.sources.ts does).
 */
import { z } from "zod"
import { ageLimits, intakeLimits } from "../domain/kernel/limits-signals.ts"
import {
  identityRules,
  ratePolicies,
  signatureEncodings,
  type SourcePreset,
  sourcePresets
} from "../domain/kernel/settings-source.ts"
import type { SourceSettings } from "../domain/kernel/settings.ts"
import { expected } from "./settings-expected.ts"
import { fieldMappings, pointer } from "./settings-mapping.ts"
import { natural, text, wholeFrom } from "./settings-words.ts"
import { oneOf } from "./words.ts"

const flag = z.boolean("must be true or false")

const referenceWords = 'must be a text, {"env": "VARIABLE"} or {"file": "path"}'
export const secretReference = z
  .union(
    [
      text,
      z.strictObject({ env: z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/) }),
      z.strictObject({ file: z.string().min(1) })
    ],
    referenceWords
  )
  .meta({
    id: "SecretReference",
    description: "A secret: the name of a variable of the environment, the path of a file, or its text."
  })
export type SecretReference = z.output<typeof secretReference>

const secrets = z
  .array(secretReference, "must be a list of secrets")
  .min(1, "names no secret; leave it out for that of the installation")
  .max(8, "must have at most 8 secrets")
  .exactOptional()
  .meta({
    description: "Any of them is taken, so that one can replace another. Absent: that of the installation."
  })

const addresses = (what: string) => z.array(z.string(what), what).min(1, "names no address")

const hmac = z
  .strictObject({
    header: z
      .string("must be the name of a header")
      .regex(/^[A-Za-z0-9-]{1,64}$/, "must be the name of a header")
      .toLowerCase()
      .default("x-webhook-signature")
      .meta({ description: "The header that carries it; a `sha256=` before it is taken off." }),
    encoding: oneOf(signatureEncodings).default("hex").meta({ description: "How it is written." }),
    secrets
  })
  .meta({ id: "HmacSettings", description: "HMAC-SHA256 of the raw body, in a header." })

const standardWebhooks = z
  .strictObject({
    toleranceMs: wholeFrom(1_000, 86_400_000)
      .default(intakeLimits.signatureToleranceMs)
      .meta({ description: "How far `webhook-timestamp` may be from our clock." }),
    secrets
  })
  .meta({ id: "StandardWebhooksSettings", description: "The three headers of Standard Webhooks." })

const bodySecret = z
  .strictObject({
    field: pointer.default("/secret").meta({
      description: "Where it is, as a JSON pointer; it is neither stored nor part of the identity."
    }),
    secrets
  })
  .meta({
    id: "BodySecretSettings",
    description: "A secret in the body, for senders that cannot set headers."
  })

const authentication = z
  .strictObject({
    require: oneOf(["any", "all"]).default("any").meta({
      description:
        "`any`: one of the methods is enough, but a signature that is sent must be right; `all`: each is needed."
    }),
    hmac: hmac.nullable().default(null),
    standardWebhooks: standardWebhooks.nullable().default(null),
    bodySecret: bodySecret.nullable().default(null),
    addresses: addresses("must be a list of addresses and networks").nullable().default(null).meta({
      description:
        "Addresses and networks whose posts need nothing else. Outside PRACTICE only with a secret as well (`all`)."
    })
  })
  .meta({
    id: "SourceAuthentication",
    description:
      "How its senders prove who they are. null: by any of `hmacSecret` and `webhookSecret` that is set."
  })

export const sourceFile = z
  .strictObject({
    preset: oneOf(sourcePresets).default("generic").meta({
      description: "Defaults of a kind of sender, see below; keys of the source replace them."
    }),
    timestampIs: oneOf(["fired", "bar"])
      .default("fired")
      .meta({ description: "What a timestamp means; the age of a bar's counts from its end (T3)." }),
    identity: oneOf(identityRules).default("id").meta({
      description:
        "What makes a post without an identifying header the same as another: its `id`, id and timestamp, or its content (T3)."
    }),
    metadata: flag.default(false).meta({ description: "Its signals come with metadata (A1)." }),
    ageMaxMs: wholeFrom(1, ageLimits.signalAgeMsMax)
      .default(ageLimits.signalAgeMsDefault)
      .meta({ description: "Older signals are not traded." }),
    // Off by default: a 429 loses the alert for good, TradingView does not resend it (W12).
    rateLimit: z
      .strictObject({
        requests: natural.meta({ description: "So many posts of one sender" }),
        perMs: natural.meta({ description: "within any so many milliseconds." }),
        policy: oneOf(ratePolicies).default("reject").meta({
          description:
            "What becomes of more: `reject` answers 429, `queue` lets them wait for their turn, in order."
        }),
        waitMsMax: wholeFrom(1, 60_000).default(2_000).meta({
          description:
            "How long a post of `queue` waits at most; one that would wait longer gets its 429 at once. TradingView hangs up after 3 s."
        })
      })
      .nullable()
      .default(null)
      .meta({ description: "How fast one authenticated sender may post; null: as fast as it likes." }),
    ips: z.array(z.string(), "must be a list of addresses").nullable().default(null).meta({
      description:
        "Addresses and networks that may post, in addition to `authentication`; null: any. Behind a proxy see `trustedProxies`."
    }),
    authentication: authentication.nullable().default(null),
    fields: fieldMappings.nullable().default(null),
    expected: expected.nullable().default(null)
  })
  .meta({ id: "SourceSettings", description: "One origin of signals: `POST /webhook/NAME`." })
export type SourceFile = z.output<typeof sourceFile>

/** The keys of each preset, as a source would write them. */
export const presets: Readonly<Record<SourcePreset, z.input<typeof sourceFile>>> = {
  generic: {},
  // It sends no headers (W6), its {{time}} is the open of a bar, and an order id of its strategies is a name.
  tradingview: {
    timestampIs: "bar",
    identity: "body",
    ips: ["52.89.214.238", "34.212.75.30", "54.218.53.128", "52.32.178.7"],
    authentication: { bodySecret: {} }
  },
  "standard-webhooks": { authentication: { standardWebhooks: {} } }
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** A source of the file with the keys of its preset below its own. */
export const withPreset = (given: unknown): unknown => {
  if (!isObject(given)) return given
  const preset = sourcePresets.find((name) => name === given["preset"])
  return preset === undefined ? given : { ...presets[preset], ...given }
}

/** The defaults of a source. */
export const plainSource: SourceSettings = { ...sourceFile.parse({}), authentication: null }
