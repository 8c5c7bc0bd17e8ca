/**
 * command limits: the bounds of giving commands, each with its reason.
 *
 * Apart from kernel/limits.ts because only the way of a command knows them; how long a command itself may take is there.
 *
 * Promises: a command that is taken for dead has had more time than any may take, or the process does not load.
 * Never: reads a setting.
 */
import { invariant } from "../kernel/invariant.ts"
import { controlLimits } from "../kernel/limits.ts"

export const commandLimits = {
  /** From the first statement of its audit to the last: whatever takes longer is of a process that is gone, or stands still. */
  auditedMsMax: 120_000,
  /** How long a repetition waits for the first attempt with its key. A person waits; the proxy before us for 30 s. */
  repeatMsMax: 5_000,
  repeatLookMs: 100,
  /** Characters of an idempotency key: what the common libraries make is a UUID. */
  keyLengthMax: 255,
  /** Characters of a target that the audit keeps: no name or path of ours is as long. */
  scopeLengthMax: 300,
  /** Characters of why an attempt could not be read: the first errors of a body, whose names are the caller's. */
  refusalLengthMax: 500,
  /** Ends that wait for the database. Each is a command that a person gave during one outage. */
  pendingEndsMax: 256,
  /** How often ends that wait are tried. */
  auditEveryMs: 1_000,
  /**
   * How often attempts of processes that are gone are ended: an indexed look. At a start the lease of the former life may run
   * for another moment, and whoever gave the command is waiting for its key.
   */
  interruptEveryMs: 5_000,
  /** Rows of those who proved nothing, in a minute: enough to see that somebody tries. */
  strangersMax: 20,
  strangersPerMs: 60_000,
  /** Accounts that one reload removes or moves. Each is an advisory lock, and the lock table of the embedded server holds some 2,500. */
  accountsLeavingMax: 1_000
} as const

invariant(
  controlLimits.commandMsMax + commandLimits.repeatMsMax < commandLimits.auditedMsMax,
  "a command that is taken for dead has had more time than any may take"
)
