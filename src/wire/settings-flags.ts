/**
 * settings-flags: which features are switched off, for everything or for one account or strategy.
 *
 * Promises: as settings.ts, which this is a part of; a name that is no feature is refused, and so is a scope that a feature does not
 * have.
 * Never: knows what a feature does (domain/kernel/flags.ts names it).
 */
import { z } from "zod"
import { FLAGS, type FlagName } from "../domain/kernel/flags.ts"
import { mapOf } from "./settings-words.ts"

const flag = (name: FlagName) =>
  z.boolean("must be true or false").exactOptional().meta({ description: FLAGS[name].what })

const features = z
  .strictObject(
    {
      canary: flag("canary"),
      telegram_self_test: flag("telegram_self_test"),
      paper: flag("paper"),
      shadow: flag("shadow"),
      replay: flag("replay"),
      practice: flag("practice"),
      capture: flag("capture"),
      console: flag("console"),
      decoration: flag("decoration")
    },
    "must be an object"
  )
  .meta({ id: "FeatureFlags" })
const ofAccount = z.strictObject({ paper: flag("paper") }).meta({ id: "AccountFlags" })
const ofStrategy = z
  .strictObject({ paper: flag("paper"), shadow: flag("shadow") })
  .meta({ id: "StrategyFlags" })
const key = z.string().min(1).max(64)

export const flags = z
  .strictObject(
    {
      features: features.default({}).meta({ description: "For everything; false switches a feature off." }),
      accounts: mapOf(key, ofAccount).default({}).meta({ description: "For one of `accounts`." }),
      strategies: mapOf(key, ofStrategy).default({}).meta({ description: "For one of `strategies`." })
    },
    "must be an object"
  )
  .prefault({})
  .meta({
    id: "FlagsSettings",
    description:
      "Features that are switched off. All are on where the settings are silent; off for everything is off everywhere. It applies with a reload."
  })
