/**
 * text-line: text from outside that is to be stored, logged and shown on one line.
 *
 * Promises: what `readText` takes is trimmed, not empty, bounded, and free of whatever forges a log line or turns text around;
 * `oneLine` makes such a text of any.
 * Never: `readText` changes nothing but the blanks at the ends.
 */

// C0, DEL and C1: none of them can be meant, and each of them can forge a log line or a terminal.
// Also the line separators and the marks that reverse the direction of what follows.
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/

/** The text of a field: trimmed, bounded, free of control characters. A message instead of it when it is wrong. */
export const readText = (value: unknown, lengthMax: number): { text: string } | { message: string } => {
  if (typeof value !== "string") return { message: "must be a string" }
  const text = value.trim()
  if (text === "") return { message: "must not be empty" }
  if (text.length > lengthMax) return { message: `must be at most ${lengthMax} characters` }
  if (CONTROL.test(text)) return { message: "must not contain control characters" }
  return { text }
}

/** Text on one line, at most `max` characters, without what forges lines or turns text around. */
export const oneLine = (text: string, max = 300): string => {
  const plain = text
    .replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]+/g, " ")
    .toWellFormed()
  return plain.length <= max ? plain : `${plain.slice(0, max - 1).toWellFormed()}…`
}
