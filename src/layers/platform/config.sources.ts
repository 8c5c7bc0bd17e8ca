/**
 * Sources: those of the configuration file, with their secrets found and their authentication complete.
 *
 * A secret is given by reference, to a variable or a file, so that the configuration can be shown to anybody. It is read with
 * the settings: a reload reads it again, which is how one is replaced without a restart.
 *
 * Promises: every problem with its path; a source that would take posts of anybody, or of nobody, outside of practice mode is
 * one.
 * Never: shows a secret, or guesses one that is missing.
 * Failure: a problem; so is a file that cannot be read.
 */
import { Redacted, Result } from "effect"
import type { Mode, Settings, SettingsProblem, SourceSettings } from "../../domain/kernel/settings.ts"
import { weakness } from "../../domain/kernel/settings-secrets.ts"
import {
  authenticationOf,
  type AuthenticationSettings,
  type InstallationSecrets,
  secretsOfSource
} from "../../domain/kernel/settings-source.ts"
import type { Environment } from "../../domain/kernel/settings-text.ts"
import { plainSecret } from "../../domain/kernel/settings-text.ts"
import { mappingProblems } from "../../wire/settings-mapping.ts"
import type { SecretReference, SourceFile } from "../../wire/settings-source.ts"
import { networkProblem } from "./networks.node.ts"

type Secret = Redacted.Redacted<string>

/** What finding a secret needs, and where problems go. */
export interface SecretsInput {
  readonly environment: Environment
  /** The text of a file by its path as written; or why it cannot be read. */
  readonly readSecret: (path: string) => Result.Result<string, string>
  readonly problems: Array<SettingsProblem>
  readonly trimmed: Array<string>
}

/** What resolving sources needs. */
export interface SourcesInput extends InstallationSecrets, SecretsInput {
  readonly mode: Mode
}

const given = (
  { environment, readSecret }: SecretsInput,
  reference: SecretReference
): Result.Result<string, string> => {
  if (typeof reference === "string") return Result.succeed(reference)
  if ("file" in reference) return readSecret(reference.file)
  const value = environment[reference.env]
  return value === undefined || value === ""
    ? Result.fail(`the variable ${reference.env} is not set`)
    : Result.succeed(value)
}

/** The secret that is meant; none, and a problem, where there is none. */
export const secretAt = (
  input: SecretsInput,
  path: string,
  reference: SecretReference
): ReadonlyArray<Secret> => {
  const found = given(input, reference)
  if (Result.isFailure(found)) {
    input.problems.push({ path, message: found.failure })
    return []
  }
  const plain = plainSecret(found.success)
  if (plain !== found.success) input.trimmed.push(path)
  if (plain === "") input.problems.push({ path, message: "is empty" })
  return plain === "" ? [] : [Redacted.make(plain, { label: path })]
}

/** The secrets of a method, null for those of the installation. "none": a method that there is no secret for. */
const secretsAt = (
  input: SourcesInput,
  path: string,
  method: { readonly secrets?: ReadonlyArray<SecretReference> },
  installation: { readonly secret: Secret | null; readonly variable: string },
  isPreset: boolean
): ReadonlyArray<Secret> | null | "none" => {
  if (method.secrets !== undefined)
    return method.secrets.flatMap((reference, at) => secretAt(input, `${path}.secrets.${at}`, reference))
  if (installation.secret !== null) return null
  // A preset must be usable in practice with nothing else; there unsigned posts of this machine are taken.
  if (!isPreset || input.mode !== "PRACTICE")
    input.problems.push({ path, message: `needs secrets, or ${installation.variable}` })
  return "none"
}

const checkNetworks = (
  input: SourcesInput,
  path: string,
  entries: ReadonlyArray<string> | null
): ReadonlyArray<string> | null => {
  for (const [at, entry] of (entries ?? []).entries()) {
    const message = networkProblem(entry)
    if (message !== null) input.problems.push({ path: `${path}.${at}`, message })
  }
  return entries
}

const ownAuthentication = (
  input: SourcesInput,
  path: string,
  file: NonNullable<SourceFile["authentication"]>,
  isPreset: boolean
): AuthenticationSettings => {
  const hmacOf = { secret: input.hmac, variable: "HMAC_SECRET" }
  const webhookOf = { secret: input.webhook, variable: "WEBHOOK_SECRET" }
  const { addresses, bodySecret, hmac, standardWebhooks } = file
  if (addresses === null && bodySecret === null && hmac === null && standardWebhooks === null)
    input.problems.push({
      path,
      message: "names no method; leave it out for the secrets of the installation"
    })
  const complete = <Method extends { readonly secrets?: ReadonlyArray<SecretReference> }>(
    name: string,
    method: Method | null,
    installation: typeof hmacOf
  ) => {
    if (method === null) return null
    const found = secretsAt(input, `${path}.${name}`, method, installation, isPreset)
    return found === "none" ? null : { ...method, secrets: found }
  }
  return {
    require: file.require,
    hmac: complete("hmac", hmac, hmacOf),
    standardWebhooks: complete("standardWebhooks", standardWebhooks, hmacOf),
    bodySecret: complete("bodySecret", bodySecret, webhookOf),
    addresses: checkNetworks(input, `${path}.addresses`, addresses)
  }
}

/** Whether anything that a sender must show is a secret. */
const hasSecret = (own: AuthenticationSettings | null, installation: InstallationSecrets): boolean => {
  const { bodySecret, hmac, standardWebhooks } = authenticationOf(own, installation)
  return [bodySecret, hmac, standardWebhooks].some((method) => (method?.secrets.length ?? 0) > 0)
}

/** What must not be outside of practice mode: weak secrets, and senders who need none. */
const checkStrength = (input: SourcesInput, path: string, authentication: AuthenticationSettings): void => {
  if (input.mode === "PRACTICE") return
  for (const [at, secret] of secretsOfSource(authentication)) {
    const weak = weakness(Redacted.value(secret))
    if (weak !== null) input.problems.push({ path: `${path}.${at}`, message: `the secret ${weak}` })
  }
  const { addresses, require } = authentication
  if (addresses !== null && (require === "any" || !hasSecret(authentication, input)))
    input.problems.push({
      path: `${path}.addresses`,
      message: `an address proves too little in ${input.mode}: add a secret, and "require": "all"`
    })
}

const sourceOf = (input: SourcesInput, name: string, file: SourceFile, isPreset: boolean): SourceSettings => {
  const path = `sources.${name}.authentication`
  checkNetworks(input, `sources.${name}.ips`, file.ips)
  for (const { message, path: at } of mappingProblems(file))
    input.problems.push({ path: `sources.${name}.${at}`, message })
  if (file.authentication === null) return { ...file, authentication: null }
  const authentication = ownAuthentication(input, path, file.authentication, isPreset)
  checkStrength(input, path, authentication)
  return { ...file, authentication }
}

/** The sources of the file. `ownKeys` are the keys that each names itself, without those of its preset. */
export const sourcesOf = <Name extends string>(
  input: SourcesInput,
  files: Readonly<Record<Name, SourceFile>>,
  ownKeys: (name: string) => ReadonlySet<string>
): Readonly<Record<Name, SourceSettings>> =>
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it has the names of the files
  Object.fromEntries(
    Object.entries<SourceFile>(files).map(([name, file]) => [
      name,
      sourceOf(input, name, file, !ownKeys(name).has("authentication"))
    ])
  ) as Readonly<Record<Name, SourceSettings>>

/** Outside of practice mode, sources that would refuse every post; `default` and `wave` may, while another takes them. */
export const unauthenticated = ({
  mode,
  secrets,
  sources
}: Pick<Settings, "mode" | "secrets" | "sources">): ReadonlyArray<SettingsProblem> => {
  if (mode === "PRACTICE") return []
  const bare = Object.entries(sources)
    .filter(([, { authentication }]) => !hasSecret(authentication, secrets))
    .map(([name]) => name)
  if (bare.length === Object.keys(sources).length)
    return [
      {
        path: "HMAC_SECRET",
        message: `${mode} needs HMAC_SECRET or WEBHOOK_SECRET: webhooks must be authenticated`
      }
    ]
  return bare
    .filter((name) => name !== "default" && name !== "wave")
    .map((name) => ({
      path: `sources.${name}.authentication`,
      message: `${mode} needs a secret: set HMAC_SECRET or WEBHOOK_SECRET, or name its own`
    }))
}
