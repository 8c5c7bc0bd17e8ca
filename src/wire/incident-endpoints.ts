/**
 * The endpoints of incident reports, a part of the table in endpoints.ts (G8).
 *
 * Promises: both answer the same document, as JSON and as a page.
 * Never: handles anything.
 */
import { z } from "zod"
import { endpoint, list } from "./endpoint.ts"
import { incident } from "./incident.ts"

const bound = z.iso.datetime({ offset: true, error: "must be an instant such as 2026-01-31T09:30:00Z" })
const query = z.strictObject({
  from: bound.meta({ description: "The beginning, inclusive." }),
  to: bound.meta({ description: "The end, exclusive; at most two days later." })
})

export const getIncident = endpoint({
  ...list,
  path: "/api/v1/incident",
  tag: "operations",
  name: "getIncident",
  summary: "A span of time as one document: timeline, cause, cost, what health said.",
  query,
  answers: { 200: incident }
})
export const getIncidentPage = endpoint({
  ...list,
  path: "/api/v1/incident/page",
  tag: "operations",
  name: "getIncidentPage",
  summary: "The same as a page that needs nothing but itself; a console opens it as well.",
  query,
  answers: { 200: { text: "text/html; charset=utf-8" } }
})
