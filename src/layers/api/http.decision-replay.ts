/**
 * The routes that make decisions again and report what was different.
 *
 * Promises: a replay is asked for and found, never waited for; changed settings that the service would refuse are a 400 that names
 * each problem, as at a start.
 * Never: changes anything, so it is no command and needs no key; runs the replay.
 * Failure: that of the routes; a full line is 429, replays that a flag switches off are 409.
 */
import { Effect, Result } from "effect"
import { isUuid } from "../../domain/kernel/ids.ts"
import { isoOf } from "../../domain/kernel/iso-time.ts"
import { versionOf } from "../../domain/kernel/settings-change.ts"
import type { Settings } from "../../domain/kernel/settings.ts"
import {
  decisionReplay,
  getDecisionReplay,
  replayDecisions,
  replayedFields
} from "../../wire/decision-replay.ts"
import {
  DecisionReplays,
  type DecisionReplaysService,
  type ReplayJob
} from "../decision/decision-replays.port.ts"
import { Config, ConfigReader, snapshotOf } from "../platform/config.port.ts"
import { Shedding, type SheddingService } from "../platform/shedding.port.ts"
import { decoded, Refused, type RequestOf, type Route, route, rowsRoute } from "./http.route.ts"

const nothingYet = {
  without_facts: 0,
  differing: 0,
  differences: [],
  orders_changed: 0,
  orders_unpriced: 0,
  pnl_change: null
}

const itemOf = ({ decided, error, id, request, result, status }: ReplayJob) => ({
  id,
  status,
  from: isoOf(request.fromMs),
  to: isoOf(request.toMs),
  source: request.source,
  settings_version: versionOf(request.settings),
  error,
  ...(result === null ? { ...nothingYet, decided } : replayedFields(result))
})

type SettingsWith = (changes: unknown) => Effect.Effect<Settings, Refused>

const switchedOff = new Refused({
  status: 409,
  more: { reason: "switched_off", message: "replays are switched off by the flag replay" }
})

const submit = (
  replays: DecisionReplaysService,
  shedding: Pick<SheddingService, "isOff">,
  settingsWith: SettingsWith
) =>
  Effect.fnUntraced(function* ({ body }: RequestOf<typeof replayDecisions>) {
    if (shedding.isOff("replay")) return yield* switchedOff
    const { from, settings, source = null, to } = body
    const [fromMs, toMs] = [Date.parse(from), Date.parse(to)]
    if (fromMs >= toMs)
      return yield* new Refused({ status: 400, errors: [{ path: "to", message: "must be later than from" }] })
    const id = replays.submit({ fromMs, toMs, source, settings: yield* settingsWith(settings) })
    return id === null ? yield* new Refused({ status: 429 }) : { status: 202, json: { id } }
  })

const find = (replays: DecisionReplaysService, id: string) =>
  Effect.gen(function* () {
    const job = isUuid(id) ? replays.find(id) : null
    if (job === null) return yield* new Refused({ status: 404 })
    return { status: 200, json: yield* decoded(decisionReplay, itemOf(job)) }
  })

/** The routes of this file. */
export const decisionReplayRoutes: Effect.Effect<
  ReadonlyArray<Route>,
  never,
  Config | ConfigReader | DecisionReplays | Shedding
> = Effect.gen(function* () {
  const shedding = yield* Shedding
  const replays = yield* DecisionReplays
  const reader = yield* ConfigReader
  const config = yield* Config
  const settingsWith: SettingsWith = (changes) =>
    changes === undefined
      ? Effect.succeed(snapshotOf(config))
      : Effect.suspend(() => {
          const read = reader.readWith(changes)
          return Result.isSuccess(read)
            ? Effect.succeed(read.success)
            : new Refused({
                status: 400,
                errors: read.failure.map(({ message, path }) => ({ path: `settings.${path}`, message }))
              })
        })
  return [
    route(replayDecisions, submit(replays, shedding, settingsWith)),
    rowsRoute(getDecisionReplay, ({ params }) => find(replays, params["id"] ?? ""))
  ]
})
