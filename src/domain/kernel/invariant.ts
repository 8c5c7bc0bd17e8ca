/**
 * invariant: the one way to state "this can only be false when the code is wrong".
 *
 * Two kinds of failure exist in this system. What the world may do (a refused order, a lost connection) is a
 * tagged error or an event. What only a bug can do is a broken invariant: it is thrown, dies as a defect, and
 * the supervisor above restarts the component with the state the database remembers.
 *
 * Promises: the details given travel with the error, so that a crash report names the values.
 * Never: used for input that a user, a venue or a peer controls.
 */

/** A bug, seen at run time. Thrown, never returned; carries the values that broke the rule. */
export class InvariantViolated extends Error {
  override readonly name = "InvariantViolated"
  readonly _tag = "InvariantViolated"
  readonly details: Readonly<Record<string, unknown>>

  constructor(message: string, details: Readonly<Record<string, unknown>> = {}) {
    super(`invariant violated: ${message}`)
    this.details = details
  }
}

/**
 * Throws `InvariantViolated` unless `condition` holds, and narrows its type after it.
 * `message` states the rule that should hold; `details` are the values that broke it (no secrets).
 */
export function invariant(
  condition: unknown,
  message: string,
  details?: Readonly<Record<string, unknown>>
): asserts condition {
  if (!condition) throw new InvariantViolated(message, details)
}
