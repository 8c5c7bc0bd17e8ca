/**
 * The code of a system error: what Node puts on the errors of its sockets, files and processes.
 *
 * Why here: a caught value is `unknown`, every adapter needs its code, and an assertion in each of them
 * would claim more than is known.
 *
 * Promises: total; a value without a code, or with one that is not a string, has none.
 * Never: throws.
 */

/** `ENOENT`, `EADDRINUSE`, ... of anything that was caught, or undefined. */
export const errorCodeOf = (caught: unknown): string | undefined =>
  typeof caught === "object" && caught !== null && "code" in caught && typeof caught.code === "string"
    ? caught.code
    : undefined
