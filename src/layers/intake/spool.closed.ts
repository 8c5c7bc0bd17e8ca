/**
 * Spool of a process that has none: one that takes no posts.
 *
 * Promises: it is empty, and stops no database.
 * Never: takes a post: what the database does not take is refused.
 * Failure: what is appended is refused; everything else is done at once.
 */
import { Effect, Layer } from "effect"
import { Spool, type SpoolLook } from "./spool.port.ts"

const closed: SpoolLook = {
  phase: "closed",
  fault: null,
  posts: 0,
  bytes: 0,
  segments: 0,
  oldestAtMs: null,
  sinceEmpty: 0,
  spooled: 0,
  refused: 0,
  drained: 0,
  damaged: 0
}

export const spoolClosed: Layer.Layer<Spool> = Layer.succeed(Spool, {
  append: () => false,
  takes: () => false,
  takesAll: () => false,
  isEmpty: () => true,
  look: () => closed,
  listen: () => () => undefined,
  open: Effect.void,
  writer: Effect.never,
  next: Effect.succeed([]),
  drained: Effect.void,
  handOver: () => undefined,
  settle: () => Effect.void,
  putAside: () => Effect.void,
  prove: Effect.void,
  flush: Effect.void
})
