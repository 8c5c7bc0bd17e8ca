/**
 * field-error: one thing that is wrong with what came from outside.
 *
 * A sender that has to fix its template one error at a time loses alerts meanwhile, so whoever reads a body collects these
 * and refuses it with all of them.
 *
 * Promises: a place and what would be right there.
 * Never: repeats a value, which could be a secret.
 */

/** `path` is "" for the body itself. */
export interface FieldError {
  readonly path: string
  readonly message: string
}
