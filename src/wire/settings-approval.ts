/**
 * settings-approval: whether a human is asked before a strategy opens anything.
 *
 * Promises: as settings.ts, which this is a part of.
 * Never: applies to what closes.
 */
import { z } from "zod"
import { APPROVAL_DEFAULTS } from "../domain/kernel/settings.ts"
import { positive, wholeFrom } from "./settings-words.ts"
import { oneOf } from "./words.ts"

export const approval = z
  .strictObject({
    deadlineMs: wholeFrom(1_000)
      .default(60_000)
      .meta({ description: "How long it waits for an answer; the age limit of its signal holds as well." }),
    otherwise: oneOf(APPROVAL_DEFAULTS).default("deny").meta({
      description: "What becomes of it when nobody answers: it is not sent, or it is sent unasked."
    }),
    priceMovePctMax: positive.nullable().default(null).meta({
      description:
        "When the price has moved by more than this percentage since it was shown, a press approves nothing and shows the new price instead; null: any price."
    })
  })
  .meta({
    id: "ApprovalSettings",
    description:
      "A human is asked before it opens anything (docs/approval.md); what closes never waits. null: nobody is asked."
  })
