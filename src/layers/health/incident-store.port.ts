/**
 * Incident store: the port to what the tables say of a span of time.
 *
 * Promises: each section is in the order of time, with the number of all its rows; nothing is of another time.
 * Never: shows a secret; judges anything.
 */
import { Context, type Effect } from "effect"
import type { Alive } from "../../domain/health/incident.ts"
import type { DatabaseError } from "../database/database.port.ts"
import type { Item } from "./read-store.port.ts"

/** The first rows of a section, and how many there are. */
export interface Section {
  readonly total: number
  readonly rows: ReadonlyArray<Item>
}

export interface IncidentRows {
  /** When processes of this node recorded anything: in the span, the last of them before it, and the first of them after it. */
  readonly alive: ReadonlyArray<Alive>
  /** Signals that came, by status. */
  readonly signals: Readonly<Record<string, number>>
  /** Orders that were made, by status now. */
  readonly orders: Readonly<Record<string, number>>
  readonly fills: number
  /** Posts that were refused and kept, by reason. */
  readonly refused: Readonly<Record<string, number>>
  /** Waves that were due, by status, and those that were late or missed. */
  readonly waves: Readonly<Record<string, number>>
  readonly lateWaves: Section
  /** Signals that came and were not ordered. */
  readonly unordered: Section
  /** Alerts that were open in the span. */
  readonly alerts: Section
  readonly audit: Section
}

export interface IncidentStoreService {
  readonly read: (fromMs: number, toMs: number) => Effect.Effect<IncidentRows, DatabaseError>
}

export class IncidentStore extends Context.Service<IncidentStore, IncidentStoreService>()(
  "holdfast/layers/IncidentStore"
) {}
