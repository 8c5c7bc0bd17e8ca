/**
 * Resources actor: the resources machine with the looks that move it and the port that its features ask.
 *
 * Promises: while all is well the machine gets no event, so that a healthy process writes nothing into its journal; what is shed
 * is logged with its reason, in both directions; when the component ends, nothing stays shed.
 * Never: ends or slows what is in no list of features.
 */
import { Clock, Effect } from "effect"
import { resourceLimits } from "../../domain/kernel/limits-kept.ts"
import { type Feature, RESOURCES, SHED_ORDER, shedOf } from "../../domain/platform/resources.ts"
import { Config } from "../../layers/platform/config.port.ts"
import { Figures } from "../../layers/platform/figures.port.ts"
import { Shedding, type SheddingService } from "../../layers/platform/shedding.port.ts"
import { resourcesMachine } from "../../machines/operators/resources.machine.ts"
import type { ChildSelf } from "../../runtime/child-spec.ts"
import { logEvent } from "../../runtime/log-event.ts"
import { machineChild, streamActor } from "../../runtime/machine-child.ts"
import { lookAtResources, makeResourcesWatch, type ResourcesWatch } from "./resources-look.ts"

const families = (watch: ResourcesWatch, shedding: SheddingService) => () => [
  {
    name: "holdfast_resource_over_limit",
    help: "0 while a resource is within its limits, 1 while it is over the first one, 2 while it is critical.",
    type: "gauge" as const,
    samples: RESOURCES.map((resource) => ({
      labels: { resource },
      value: { normal: 0, high: 1, critical: 2 }[watch.pressures[resource]]
    }))
  },
  {
    name: "holdfast_shed",
    help: "1 while a feature is shed.",
    type: "gauge" as const,
    samples: SHED_ORDER.map((feature) => ({
      labels: { feature },
      value: shedding.shed().includes(feature) ? 1 : 0
    }))
  },
  {
    name: "holdfast_shed_refused_total",
    help: "How often a feature was refused because it was shed.",
    type: "counter" as const,
    samples: [...shedding.refused()].map(([feature, value]) => ({ labels: { feature }, value }))
  }
]

/** Looks for as long as the component lives. A reading is an event only while something is, or was, over a limit. */
const watching = (watch: ResourcesWatch) =>
  streamActor("resources.watch", ({ send }) =>
    Effect.gen(function* () {
      const settings = yield* Config
      let wasNormal = true
      for (;;) {
        const pressure = yield* lookAtResources(watch)
        const isNormal = pressure === "normal" && watch.state === "Normal"
        if (!isNormal || !wasNormal) send({ type: "readings.taken", pressure })
        wasNormal = isNormal
        yield* Effect.sleep(settings.resources.everyMs)
      }
    })
  )

const over = (watch: ResourcesWatch): ReadonlyArray<string> =>
  RESOURCES.filter((resource) => watch.pressures[resource] !== "normal")

/** The component `root/monitors/resources`. */
export const resourcesActor = (self: ChildSelf) =>
  Effect.gen(function* () {
    const figures = yield* Figures
    const shedding = yield* Shedding
    const watch = makeResourcesWatch(self.path, yield* Clock.currentTimeMillis)
    const run = Effect.runSyncWith(yield* Effect.context<never>())
    const publish = (state: string, shed: ReadonlyArray<Feature>): void => {
      const before = watch.shed
      watch.state = state
      watch.shed = shed
      shedding.assign(shed)
      if (before.length === shed.length) return
      const news = shed.length > before.length ? shed.slice(before.length) : before.slice(shed.length)
      const isShed = shed.length > before.length
      run(
        logEvent(
          isShed ? "warn" : "info",
          isShed ? "resources.shed" : "resources.returned",
          `${news.join(", ")} ${isShed ? "given up" : "returned"}${isShed ? `: ${over(watch).join(", ")} over the limit` : ""}`,
          { component: self.path, features: news, shed, over: over(watch) }
        )
      )
    }
    yield* Effect.acquireRelease(
      Effect.sync(() => figures.show(self.path, families(watch, shedding))),
      (withdraw) =>
        Effect.sync(() => {
          withdraw()
          shedding.assign([])
        })
    )
    return yield* machineChild({
      machine: resourcesMachine,
      input: {
        overReadings: resourceLimits.overReadings,
        calmReadings: resourceLimits.calmReadings,
        featuresMax: SHED_ORDER.length
      },
      actors: { watch: watching(watch) },
      actions: {
        publish: ({ context }, { state }) => publish(state, shedOf(context.shed))
      },
      status: ({ context }) => ({
        detail: {
          shed: shedOf(context.shed),
          over: over(watch),
          levels: watch.pressures,
          reading: watch.reading,
          samples_waiting: watch.waiting.length,
          samples_lost: watch.lost
        }
      })
    })(self)
  })
