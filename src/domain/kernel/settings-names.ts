/**
 * settings-names: what one part of the settings names in another must exist.
 *
 * Checked twice: for a configuration that is read, and for what a reload would make of the running one.
 *
 * Promises: pure; one problem per wrong name, with the path of the setting that has it.
 * Never: judges values.
 */
import { CANARY } from "./canary.ts"
import { EXTERNAL, type Settings, type SettingsProblem } from "./settings.ts"

/** The canary's own account, broker, strategy and source are in no settings (canary.ts). */
const ofCanary = ({ accounts, brokers, sources, strategies }: Settings): ReadonlyArray<SettingsProblem> =>
  Object.entries({ accounts, brokers, sources, strategies }).flatMap(([kind, named]) =>
    Object.hasOwn(named, CANARY)
      ? [{ path: `${kind}.${CANARY}`, message: "is reserved for the canary; choose another name" }]
      : []
  )

const ofStrategies = ({ accounts, sources, strategies }: Settings): ReadonlyArray<SettingsProblem> =>
  Object.entries(strategies).flatMap(([name, strategy]) => [
    ...(name === EXTERNAL
      ? [
          {
            path: `strategies.${name}`,
            message: "is reserved for what no strategy ordered; choose another name"
          }
        ]
      : []),
    ...strategy.accounts
      .filter((account) => !Object.hasOwn(accounts, account))
      .map((account) => ({
        path: `strategies.${name}.accounts`,
        message: `there is no account "${account}"`
      })),
    ...strategy.sources
      .filter((source) => !Object.hasOwn(sources, source))
      .map((source) => ({
        path: `strategies.${name}.sources`,
        message: `there is no source "${source}"`
      }))
  ])

/** A limit for something that does not exist would limit nothing. */
const ofScopes = ({ accounts, risk, strategies }: Settings): ReadonlyArray<SettingsProblem> =>
  Object.keys(risk.scopes).flatMap((scope) => {
    const [kind = "", name = ""] = scope.split(":")
    const known = kind === "account" ? accounts : strategies
    return kind === "global" || Object.hasOwn(known, name)
      ? []
      : [{ path: `risk.scopes.${scope}`, message: `there is no ${kind} "${name}"` }]
  })

const ofBreakers = ({ brokers, risk, strategies }: Settings): ReadonlyArray<SettingsProblem> =>
  Object.keys(risk.breakers).flatMap((id) => {
    const [kind = "", name] = id.split(":")
    const known = kind === "broker" ? brokers : strategies
    return name === undefined || Object.hasOwn(known, name)
      ? []
      : [{ path: `risk.breakers.${id}`, message: `there is no ${kind} "${name}"` }]
  })

const ofAlerts = ({ accounts, alerts }: Settings): ReadonlyArray<SettingsProblem> => [
  ...Object.entries(alerts.sinks).flatMap(([name, sink]) =>
    (sink.accounts ?? [])
      .filter((account) => !Object.hasOwn(accounts, account))
      .map((account) => ({
        path: `alerts.sinks.${name}.accounts`,
        message: `there is no account "${account}"`
      }))
  ),
  ...(alerts.escalation?.to ?? [])
    .filter((name) => !Object.hasOwn(alerts.sinks, name))
    .map((name) => ({ path: "alerts.escalation.to", message: `there is no sink "${name}"` }))
]

/** A switch for something that does not exist would switch nothing off. */
const ofFlags = ({ accounts, flags, strategies }: Settings): ReadonlyArray<SettingsProblem> => [
  ...Object.keys(flags.accounts)
    .filter((id) => !Object.hasOwn(accounts, id))
    .map((id) => ({ path: `flags.accounts.${id}`, message: `there is no account "${id}"` })),
  ...Object.keys(flags.strategies)
    .filter((name) => !Object.hasOwn(strategies, name))
    .map((name) => ({ path: `flags.strategies.${name}`, message: `there is no strategy "${name}"` }))
]

/** Every name that refers to nothing. */
export const nameProblems = (settings: Settings): ReadonlyArray<SettingsProblem> => [
  ...ofCanary(settings),
  ...ofStrategies(settings),
  ...ofScopes(settings),
  ...ofBreakers(settings),
  ...ofAlerts(settings),
  ...ofFlags(settings),
  ...Object.entries(settings.feeds).flatMap(([name, { source }]) =>
    Object.hasOwn(settings.sources, source)
      ? []
      : [{ path: `feeds.${name}.source`, message: `there is no source "${source}"` }]
  ),
  ...Object.entries(settings.accounts).flatMap(([name, { broker }]) =>
    Object.hasOwn(settings.brokers, broker)
      ? []
      : [{ path: `accounts.${name}.broker`, message: `there is no broker "${broker}"` }]
  )
]
