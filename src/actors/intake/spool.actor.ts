/**
 * Spool actor: the spool machine with the effects that read, write, drain and prove its files.
 *
 * Promises: no file is touched before DATA_DIR is locked; a spool that can take nothing is a HIGH alert for as long as it
 * lasts; posts that wait for their write at a stop get it.
 * Never: decides whether a post is spooled (layers/intake/intake-queue.batch.ts).
 */
import { Effect } from "effect"
import { spoolLimits } from "../../domain/kernel/limits-kept.ts"
import { isoOf } from "../../domain/kernel/iso-time.ts"
import { Alerts } from "../../layers/alerts/alerts.port.ts"
import { Spool, type SpoolLook, type SpoolService } from "../../layers/intake/spool.port.ts"
import { type Family, Figures } from "../../layers/platform/figures.port.ts"
import { Instance } from "../../layers/platform/instance.port.ts"
import { type SpoolEvent, spoolMachine } from "../../machines/intake/spool.machine.ts"
import type { ChildSelf } from "../../runtime/child-spec.ts"
import { effectActor, machineChild, streamActor } from "../../runtime/machine-child.ts"
import { watchDatabase } from "../database/database-watch.ts"
import { drainSpool } from "./spool-drain.ts"

type Send = (event: SpoolEvent) => void

/** Another process may be using the files until the lock is ours. */
const dataDirHeld = Effect.gen(function* () {
  const instance = yield* Instance
  while (instance.current() === null) yield* Effect.sleep(spoolLimits.lockPollMs)
})

const open = effectActor("spool.open", () =>
  Effect.andThen(
    dataDirHeld,
    Effect.flatMap(Spool, (spool) => spool.open)
  )
)

const keys = { full: "spool.full", failed: "spool.failed" } as const

/** Alerts when the spool takes nothing, and ends the alert when it takes posts again. */
const alertFault = (look: SpoolLook) =>
  Effect.gen(function* () {
    const alerts = yield* Alerts
    const { fault } = look
    const over = Object.values(keys).filter((key) => fault === null || key !== keys[fault.kind])
    yield* alerts.resolve(over, "the spool takes posts")
    if (fault === null) return
    const what = fault.kind === "full" ? "is full" : "cannot be used"
    yield* alerts.raise({
      severity: "HIGH",
      kind: keys[fault.kind],
      dedupKey: keys[fault.kind],
      standing: true,
      component: "root/spool",
      message: `the spool ${what} (${fault.message}): posts that the database does not take are answered 503`,
      detail: { posts: look.posts, bytes: look.bytes, error: fault.message }
    })
  })

const faultKind = (spool: SpoolService) => spool.look().fault?.kind ?? null

/** Watches the spool: alerts of its faults, one by one, in a fiber that may wait. */
const watchFaults = Effect.gen(function* () {
  const spool = yield* Spool
  const told: { kind: ReturnType<typeof faultKind> | undefined } = { kind: undefined }
  const once = Effect.suspend(() => {
    const look = spool.look()
    const kind = look.fault?.kind ?? null
    if (look.phase === "opening" && kind === null) return Effect.sleep(spoolLimits.retryMs)
    if (kind === told.kind) return Effect.sleep(spoolLimits.retryMs)
    told.kind = kind
    return alertFault(look)
  })
  return yield* Effect.forever(once)
})

const write = streamActor("spool.write", ({ send }: { readonly send: Send }) =>
  Effect.scoped(
    Effect.gen(function* () {
      const spool = yield* Spool
      let before = ""
      const report = (): void => {
        const { fault, phase, posts } = spool.look()
        const event = {
          type: "spool.changed",
          // What could be read before the reading failed is nothing that could be drained.
          isHolding: phase === "open" && posts > 0,
          fault: fault?.kind ?? null,
          error: fault?.message ?? null
        } as const
        // Every write is a change of what it holds; to the machine it is one only when a state follows from it.
        const now = `${event.isHolding} ${event.fault}`
        if (now === before) return
        before = now
        send(event)
      }
      yield* Effect.acquireRelease(
        Effect.sync(() => spool.listen(report)),
        (end) => Effect.sync(end)
      )
      // The writer reports its beginning: before it the spool says of itself that it has no owner.
      return yield* Effect.raceFirst(spool.writer, watchFaults)
    })
  )
)

/**
 * Proves the disk again and again: a spool that nobody has written to would claim room on a disk that has none. What it finds
 * ends the state that asked.
 */
const prove = streamActor(
  "spool.prove",
  ({ input: { everyMs } }: { readonly input: { readonly everyMs: number } }) =>
    Effect.flatMap(Spool, (spool) =>
      Effect.forever(dataDirHeld.pipe(Effect.andThen(spool.prove), Effect.andThen(Effect.sleep(everyMs))))
    )
)

const flush = effectActor("spool.flush", () => Effect.flatMap(Spool, (spool) => spool.flush))

const figuresOf = ({ look }: SpoolService, nowMs: number): ReadonlyArray<Family> => {
  const { bytes, damaged, drained, oldestAtMs, posts, refused, segments, spooled } = look()
  const gauge = (name: string, help: string, value: number): Family => ({
    name: `holdfast_spool_${name}`,
    help,
    type: "gauge",
    samples: [{ labels: {}, value }]
  })
  return [
    gauge("posts", "Posts in the spool.", posts),
    gauge("bytes", "Bytes of its files.", bytes),
    gauge("segments", "Its files.", segments),
    gauge(
      "oldest_seconds",
      "How long the oldest post in it has waited.",
      oldestAtMs === null ? 0 : Math.max(0, nowMs - oldestAtMs) / 1_000
    ),
    gauge("damaged_files", "Files that were damaged and put aside, since start.", damaged),
    {
      name: "holdfast_spool_posts_total",
      help: "Posts that were spooled, refused by the spool, and stored from it.",
      type: "counter",
      samples: [
        { labels: { what: "spooled" }, value: spooled },
        { labels: { what: "refused" }, value: refused },
        { labels: { what: "drained" }, value: drained }
      ]
    }
  ]
}

const detailOf = ({
  bytes,
  damaged,
  drained,
  fault,
  oldestAtMs,
  posts,
  refused,
  segments,
  spooled
}: SpoolLook) => ({
  posts,
  bytes,
  segments,
  oldest_at: oldestAtMs === null ? null : isoOf(oldestAtMs),
  spooled,
  drained,
  refused,
  damaged,
  fault: fault?.message ?? null
})

/** The component `root/spool`. */
export const spoolActor = (self: ChildSelf) =>
  Effect.gen(function* () {
    const spool = yield* Spool
    const figures = yield* Figures
    yield* Effect.acquireRelease(
      Effect.sync(() => figures.show(self.path, (nowMs) => figuresOf(spool, nowMs))),
      (withdraw) => Effect.sync(withdraw)
    )
    return yield* machineChild({
      machine: spoolMachine,
      input: {
        // The spool's own deadline names the cause, so it goes first.
        openDeadlineMs: 2 * spoolLimits.openMsMax,
        retryMs: spoolLimits.retryMs,
        proveEveryMs: spoolLimits.proveEveryMs,
        closeDeadlineMs: spoolLimits.closeMsMax
      },
      actors: {
        watchDatabase: watchDatabase(),
        write,
        open,
        drain: effectActor("spool.drain", () => drainSpool),
        prove,
        flush
      },
      stopEvent: { type: "spool.stop" },
      status: () => ({ detail: detailOf(spool.look()) })
    })(self)
  })
