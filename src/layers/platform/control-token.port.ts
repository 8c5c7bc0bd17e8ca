/**
 * Control token: the port to the one secret that controls this service over HTTP (T16).
 *
 * Reading in practice is open to callers on this machine, control is not: whoever could halt trading or close a position
 * needs a token, even in practice, because nothing about a connection proves who is behind it. An operator who configured
 * none gets a generated one.
 *
 * Promises: a configured token is the token; else the one of `DATA_DIR/admin-token`, made once, the same for every life that
 * holds the directory; `mask` hides it in any text.
 * Never: leaves the process in a log line; `file` is what a log may name.
 */
import { Context, type Effect } from "effect"
import type { Mask } from "../../domain/kernel/redaction.ts"
import type { DataDirUnusable } from "./data-dir.port.ts"

/** What opening the file did. `kept`: it was there; `replaced`: what was there was not a valid token. */
export type TokenFile = "kept" | "made" | "replaced"

export interface ControlTokenService {
  /** Null until it is known: a generated one is, once DATA_DIR is held. */
  readonly current: () => string | null
  /** Path of the file, null when the token is configured. */
  readonly file: string | null
  /** Reads or makes the file. Whoever calls holds DATA_DIR. Null when the token is configured. */
  readonly open: Effect.Effect<TokenFile | null, DataDirUnusable>
  readonly mask: Mask
}

export class ControlToken extends Context.Service<ControlToken, ControlTokenService>()(
  "holdfast/layers/ControlToken"
) {}
