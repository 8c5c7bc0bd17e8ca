/**
 * Faults of practice mode: the embedded paper broker, signal server and database, broken for real.
 *
 * The paper broker has switches for the ways in which a venue fails, and is reached as an operator of it would: over loopback. The
 * database server is killed by the operating system.
 *
 * Promises: as the port; only what runs inside of this installation is broken.
 * Never: asks a broker or a feed that has an address of its own.
 * Failure: `FaultNotPossible` with why.
 */
import { Effect, Layer } from "effect"
import { PostgresServer } from "../database/postgres-server.port.ts"
import { SignalServers } from "../feeds/signal-server.port.ts"
import { PaperVenues } from "../venues/paper-venue.port.ts"
import { FaultNotPossible, Faults, type OutsideFault } from "./faults.port.ts"

/** A switch of a venue in this process answers at once. */
const switchMsMax = 3_000

const nothing = { lift: Effect.void }

/** Creates are taken and not answered; reads and cancels are not even that. */
const silence = {
  create: { mode: "drop_after" },
  cancel: { mode: "drop_before" },
  read: { mode: "drop_before" }
}
const speech = { create: null, cancel: null, read: null }

export const practiceFaults: Layer.Layer<Faults, never, PaperVenues | PostgresServer | SignalServers> =
  Layer.effect(
    Faults,
    Effect.gen(function* () {
      const venues = yield* PaperVenues
      const servers = yield* SignalServers
      const database = yield* PostgresServer
      const failed = (fault: OutsideFault, why: string) => new FaultNotPossible({ fault, why })
      const ask = (fault: OutsideFault, broker: string, path: string, body: object) =>
        Effect.suspend(() => {
          const address = venues.addressOf(broker)
          if (address === null)
            return Effect.fail(failed(fault, `the broker ${broker} does not run in this process`))
          return Effect.tryPromise({
            try: async (signal) => {
              const response = await fetch(new URL(path, address), {
                method: "POST",
                headers: { "content-type": "application/json" },
                body: JSON.stringify(body),
                signal: AbortSignal.any([signal, AbortSignal.timeout(switchMsMax)])
              })
              await response.text()
              if (!response.ok) throw new Error(`answered ${response.status}`)
            },
            catch: (cause) => failed(fault, cause instanceof Error ? cause.message : String(cause))
          })
        })
      return Faults.of({
        inject: (fault, of) => {
          switch (fault) {
            case "feed.cut":
              return Effect.suspend(() =>
                servers.cut(of)
                  ? Effect.succeed(nothing)
                  : Effect.fail(failed(fault, `the server of ${of} does not run in this process`))
              )
            case "broker.cut":
              return Effect.as(
                ask(fault, of, "/admin/stream/close", { code: 1012, reason: "a drill" }),
                nothing
              )
            case "broker.silent":
              return Effect.as(ask(fault, of, "/admin/faults", silence), {
                lift: ask(fault, of, "/admin/faults", speech)
              })
            case "database.kill":
              return Effect.suspend(() => {
                const pid = database.pid()
                if (pid === null)
                  return Effect.fail(failed(fault, "the database server is not ours, or does not run"))
                return Effect.as(
                  Effect.try({
                    try: () => process.kill(pid, "SIGKILL"),
                    catch: (cause) => failed(fault, String(cause))
                  }),
                  nothing
                )
              })
          }
        }
      })
    })
  )
