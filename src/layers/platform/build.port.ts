/**
 * Build: which holdfast this is.
 *
 * Promises: version and commit are known before anything else is logged (A9).
 * Never: changes while the process lives.
 */
import { Context } from "effect"

export interface BuildIdentity {
  readonly version: string
  /** Full commit hash, or `unknown` outside a checkout. */
  readonly commit: string
}

export class Build extends Context.Service<Build, BuildIdentity>()("holdfast/layers/Build") {}
