/**
 * flags: which features are on, as the API returns it (11.7).
 *
 * Promises: every feature is listed for everything, and for each account and strategy that the settings name one for.
 * Never: shows a switch that is somewhere else: one of another setting is in docs/settings.md.
 */
import { z } from "zod"
import { FLAG_NAMES } from "../domain/kernel/flags.ts"
import { endpoint, list } from "./endpoint.ts"
import { page } from "./page.ts"
import { instant } from "./words.ts"

const flag = z
  .object({
    flag: z.enum(FLAG_NAMES),
    scope: z
      .string()
      .meta({ description: "`global`, `account:ID` or `strategy:NAME`; off in one of them is off there." }),
    on: z.boolean(),
    set: z.boolean().meta({ description: "The settings say so; else it is on because they are silent." }),
    what: z.string().meta({ description: "What it switches." }),
    settings_version: z.string().nullable().meta({
      description:
        "The first settings since which it has been so without a break, of those that are kept; null: not stored yet."
    }),
    since: instant.nullable()
  })
  .meta({ id: "Flag" })

export const listFlags = endpoint({
  ...list,
  path: "/api/v1/flags",
  tag: "operations",
  name: "listFlags",
  summary: "The features that the settings can switch off: which are on, for what, and since which settings.",
  answers: { 200: page(flag) }
})
