/**
 * Engines of the configuration file: the endpoints of engine C with their secrets, and whether a strategy's engines fit each other.
 *
 * Promises: every problem with its path; outside of practice mode a weak secret is one; so is a setting that would do nothing.
 * Never: shows a secret in a problem.
 * Failure: a problem; so is a file that cannot be read.
 */
import { Redacted } from "effect"
import type { Mode, Settings, SettingsProblem, StrategySettings } from "../../domain/kernel/settings.ts"
import { weakness } from "../../domain/kernel/settings-secrets.ts"
import type { VoterSettings } from "../../domain/kernel/settings-voters.ts"
import type { VoterFile } from "../../wire/settings-engines.ts"
import { secretAt, type SecretsInput } from "./config.sources.ts"

const urlProblem = (text: string): string | null => {
  if (!URL.canParse(text)) return "must be a URL with http: or https:"
  const { password, protocol, username } = new URL(text)
  if (protocol !== "http:" && protocol !== "https:") return "must be a URL with http: or https:"
  return username === "" && password === "" ? null : "must not have a user: questions are signed"
}

/** One without a secret is left out; there is a problem then. */
export const votersOf = (
  input: SecretsInput & { readonly mode: Mode },
  files: Readonly<Record<string, VoterFile>>
): Readonly<Record<string, VoterSettings>> =>
  Object.fromEntries(
    Object.entries(files).flatMap(([name, { secret: reference, ...fields }]) => {
      const path = `voters.${name}`
      const wrong = urlProblem(fields.url)
      if (wrong !== null) input.problems.push({ path: `${path}.url`, message: wrong })
      return secretAt(input, `${path}.secret`, reference).map((secret) => {
        const weak = input.mode === "PRACTICE" ? null : weakness(Redacted.value(secret))
        if (weak !== null) input.problems.push({ path: `${path}.secret`, message: `the secret ${weak}` })
        return [name, { ...fields, secret }] as const
      })
    })
  )

/** Whether some signal of the strategy is put to its voter. */
const asksVoter = ({ engine, shadow, split }: StrategySettings): boolean =>
  engine === "C" ||
  shadow === "C" ||
  (split !== null && (split.cPct > 0 || Object.values(split.pins).includes("C")))

const voterProblem = (strategy: StrategySettings, voters: Settings["voters"]): string | null => {
  const { voter } = strategy
  if (!asksVoter(strategy)) return voter === null ? null : "is asked by no engine of this strategy"
  if (voter === null) return "must name the endpoint that engine C asks"
  return Object.hasOwn(voters, voter) ? null : `there is no endpoint "${voter}" in voters`
}

/** Engines of a strategy that do not fit each other: a setting that would do nothing is worse than none. */
export const engineProblems = ({ strategies, voters }: Pick<Settings, "strategies" | "voters">) =>
  Object.entries(strategies).flatMap(([name, strategy]) => {
    const { engine, shadow, split } = strategy
    const problems: Array<SettingsProblem> = []
    const put = (key: string, message: string) =>
      problems.push({ path: `strategies.${name}.${key}`, message })
    if ((engine === "split") !== (split !== null))
      put("split", engine === "split" ? 'must be given with the engine "split"' : 'needs the engine "split"')
    if (split !== null && split.bPct + split.cPct > 100)
      put("split", "bPct and cPct must not be more than 100 together")
    if (shadow !== null && shadow === engine)
      put("shadow", `must be another engine than "${engine}", which decides already`)
    const wrong = voterProblem(strategy, voters)
    if (wrong !== null) put("voter", wrong)
    return problems
  })
