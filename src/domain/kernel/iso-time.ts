/**
 * ISO time: an instant as the outside sees it: text in UTC with milliseconds.
 *
 * Promises: null stays null.
 * Never: reads a clock, or text (moment.ts does).
 */

/** `ms` is milliseconds since the epoch. */
export const isoOf = <Ms extends number | null>(ms: Ms): Ms extends number ? string : null =>
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the compiler does not follow a conditional type
  (ms === null ? null : new Date(ms).toISOString()) as Ms extends number ? string : null
