/**
 * text-line: text from outside that is to be stored, logged and shown on one line.
 *
 * Promises: what passes is trimmed, not empty, bounded, and free of whatever forges a log line or turns text around.
 * Never: changes anything but the blanks at the ends.
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
