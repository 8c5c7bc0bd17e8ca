/**
 * How values are written: times in UTC, durations, exact decimals, states as shape and colour.
 *
 * Promises: a decimal is never passed through a floating-point number; a state is told from another without its colour.
 * Never: asks for the time itself.
 */

/** `12:14:41.208`, in UTC. */
export const clock = (iso: string | null | undefined): string =>
  iso === null || iso === undefined || iso === "" ? "–" : iso.slice(11, 23).replace("Z", "")

/** `2026-11-30 12:14:41`, in UTC. */
export const instant = (iso: string | null | undefined): string =>
  iso === null || iso === undefined || iso === "" ? "–" : iso.slice(0, 19).replace("T", " ")

/** The same instant where the reader is, for a tooltip. */
export const local = (iso: string | null | undefined): string => {
  if (iso === null || iso === undefined || iso === "") return ""
  try {
    return `${new Date(iso).toLocaleString()} (local)`
  } catch {
    // Some systems give their browsers a language that no browser knows.
    return `${new Date(iso).toString()} (local)`
  }
}

/** `4.1 s`, `3 min`, `2.5 h`. */
export const duration = (ms: number): string => {
  const size = Math.abs(ms)
  if (size < 1_000) return `${Math.round(ms)} ms`
  if (size < 60_000) return `${(ms / 1_000).toFixed(1)} s`
  if (size < 3_600_000) return `${Math.round(ms / 60_000)} min`
  if (size < 172_800_000) return `${(ms / 3_600_000).toFixed(1)} h`
  return `${Math.round(ms / 86_400_000)} d`
}

/** Thousands apart; the digits are those of the text. */
export const decimal = (text: string | null | undefined): string => {
  if (text === null || text === undefined || text === "") return "–"
  const [whole = "", part] = text.split(".")
  const grouped = whole.replaceAll(/\B(?=(\d{3})+(?!\d))/g, " ")
  return part === undefined ? grouped : `${grouped}.${part}`
}

/** A gain or loss: sign and arrow, so that it needs no colour. */
export const gain = (text: string | null | undefined): string => {
  if (text === null || text === undefined || text === "") return "–"
  if (/^-?0*(\.0*)?$/.test(text)) return `  ${decimal(text)}`
  return text.startsWith("-") ? `▼ ${decimal(text)}` : `▲ +${decimal(text)}`
}

export type Tone = "good" | "busy" | "bad" | "quiet"

/** What a word of any state means, for colour and shape. */
export const toneOf = (word: string): Tone => {
  if (
    /unhealthy|halted|failed|dead|rejected|needs_operator|unknown|critical|open$|broken|timedout|refused|missed/i.test(
      word
    )
  )
    return "bad"
  if (
    /degraded|starting|backing|waiting|connecting|reduc|paus|late|held|resolving|pending|stopp|high|medium|half|away|replay|expected|processing|denied|disputed/i.test(
      word
    )
  )
    return "busy"
  if (
    /healthy|active|live|listening|available|holding|ready|running|done|filled|accepted|idle|closed|storing|ontime|acked/i.test(
      word
    )
  )
    return "good"
  return "quiet"
}

/** How a component is, by its phase and whether it is ready: many wait by design. */
export const toneOfPart = (part: {
  readonly phase: string
  readonly ready: boolean
  readonly state: string
}): Tone => {
  if (part.phase === "failed") return "bad"
  if (part.phase !== "running") return "busy"
  if (part.ready) return "good"
  return toneOf(part.state) === "good" ? "busy" : toneOf(part.state)
}

/** The shape of a tone, next to its colour. */
export const shapes: Readonly<Record<Tone, string>> = { good: "●", busy: "▲", bad: "■", quiet: "○" }
