/**
 * resources: what the process has left, what of that is too little, and what it gives up first (E9, C5).
 *
 * A process that is killed for its memory trades nothing, so it gives up what is nice to have before that. What is shed, and in
 * which order, is one list; whoever offers a feature of the list asks before it works.
 *
 * Promises: pure; a level is reached at its limit and left only a tenth inside of it, so that a figure on the limit does not
 * flap; a figure that cannot be read is at no level.
 * Never: sheds commands, exits, orders or intake: they are in no list.
 */

/** Given up in this order, returned in the reverse one. */
export const SHED_ORDER = ["practice", "decoration", "capture", "replay", "shadow", "console"] as const
export type Feature = (typeof SHED_ORDER)[number]

/** The first so many of the order. */
export const shedOf = (count: number): ReadonlyArray<Feature> => SHED_ORDER.slice(0, count)

export const RESOURCES = ["rss", "heap", "loop", "disk", "pool", "queue"] as const
export type Resource = (typeof RESOURCES)[number]

export const PRESSURES = ["normal", "high", "critical"] as const
export type Pressure = (typeof PRESSURES)[number]

/** What was measured. Null: cannot be read here. */
export interface ResourceReading {
  readonly rssBytes: number
  readonly heapUsedBytes: number
  readonly heapLimitBytes: number
  /** Delay of the event loop beyond its sampling, 99th percentile since the last reading. */
  readonly loopMs: number
  /** Free for this process, of the file system of DATA_DIR, in percent of its size. */
  readonly diskFreePct: number | null
  /** Calls that wait for a connection to the database. */
  readonly poolWaiting: number
  /** How long the oldest post or signal has waited. */
  readonly queueMs: number
}

/** Two limits of one figure; null: never reached. */
export interface TwoLimits {
  readonly high: number | null
  readonly critical: number | null
}

export type ResourceLimits = Readonly<Record<Resource, TwoLimits>>
export type Pressures = Readonly<Record<Resource, Pressure>>

export const noPressure: Pressures = {
  rss: "normal",
  heap: "normal",
  loop: "normal",
  disk: "normal",
  pool: "normal",
  queue: "normal"
}

/** The figure that a resource is judged by: bytes, percent, milliseconds, or calls. */
export const figureOf = (resource: Resource, reading: ResourceReading): number | null => {
  switch (resource) {
    case "rss":
      return reading.rssBytes
    case "heap":
      return reading.heapLimitBytes > 0 ? (100 * reading.heapUsedBytes) / reading.heapLimitBytes : null
    case "loop":
      return reading.loopMs
    case "disk":
      return reading.diskFreePct
    case "pool":
      return reading.poolWaiting
    case "queue":
      return reading.queueMs
  }
}

/** How far inside a limit a figure must be before its level is left. */
const INSIDE = 0.1

const isBeyond = (resource: Resource, figure: number, limit: number | null, isIn: boolean): boolean => {
  if (limit === null) return false
  // Of the disk too little is too much.
  if (resource === "disk") return figure < (isIn ? limit * (1 + INSIDE) : limit)
  return figure >= (isIn ? limit * (1 - INSIDE) : limit)
}

const pressureOf = (
  resource: Resource,
  figure: number | null,
  { critical, high }: TwoLimits,
  before: Pressure
): Pressure => {
  if (figure === null) return "normal"
  if (isBeyond(resource, figure, critical, before === "critical")) return "critical"
  return isBeyond(resource, figure, high, before !== "normal") ? "high" : "normal"
}

/** The level of every resource, given the one it had. */
export const judgeResources = (
  reading: ResourceReading,
  limits: ResourceLimits,
  before: Pressures
): Pressures => {
  const of = (resource: Resource): Pressure =>
    pressureOf(resource, figureOf(resource, reading), limits[resource], before[resource])
  return {
    rss: of("rss"),
    heap: of("heap"),
    loop: of("loop"),
    disk: of("disk"),
    pool: of("pool"),
    queue: of("queue")
  }
}

/** The limit that a level was reached at. */
export const limitAt = (limits: ResourceLimits, resource: Resource, pressure: Pressure): number | null =>
  pressure === "critical" ? limits[resource].critical : limits[resource].high

export const worstOf = (pressures: Pressures): Pressure =>
  RESOURCES.reduce<Pressure>(
    (worst, resource) =>
      PRESSURES.indexOf(pressures[resource]) > PRESSURES.indexOf(worst) ? pressures[resource] : worst,
    "normal"
  )

const mb = (bytes: number): string => `${Math.round(bytes / 1_048_576)} MB`

/** A figure with its limit, as operators read it. */
export const resourceWords = (resource: Resource, reading: ResourceReading, limit: number | null): string => {
  const figure = figureOf(resource, reading) ?? 0
  const of = limit ?? 0
  switch (resource) {
    case "rss":
      return `the process holds ${mb(figure)} of memory, limit ${mb(of)}`
    case "heap":
      return `the heap is ${Math.round(figure)} % full, limit ${of} %`
    case "loop":
      return `the event loop is ${Math.round(figure)} ms late, limit ${of} ms`
    case "disk":
      return `${Math.round(figure * 10) / 10} % of the disk are free, limit ${of} %`
    case "pool":
      return `${figure} calls wait for a database connection, limit ${of}`
    case "queue":
      return `the oldest post or signal waits for ${Math.round(figure / 1_000)} s, limit ${Math.round(of / 1_000)} s`
  }
}
