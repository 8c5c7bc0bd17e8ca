/**
 * The endpoints of what was not handled: dead letters and refused posts, as lists (T12).
 *
 * Promises: as endpoints.ts, whose table they are a part of; in the order of the documentation.
 * Never: handles anything.
 */
import { REFUSAL_REASONS } from "../domain/intake/refused-post.ts"
import { endpoint, list } from "./endpoint.ts"
import * as shapes from "./replay.ts"
import { byName, listQuery, page } from "./page.ts"
import { oneOf } from "./words.ts"

export const listDeadLetters = endpoint({
  ...list,
  path: "/api/v1/dead-letters",
  tag: "operations",
  name: "listDeadLetters",
  summary: "What could not be processed, newest first.",
  query: listQuery({
    origin: byName,
    reason: byName,
    reference: byName,
    status: oneOf(shapes.REPLAY_STATUSES).optional()
  }),
  answers: { 200: page(shapes.deadLetter) }
})
export const listRefused = endpoint({
  ...list,
  path: "/api/v1/refused",
  tag: "operations",
  name: "listRefused",
  summary: "Posts of authenticated senders that were not taken, newest first.",
  query: listQuery({
    source: byName,
    reason: oneOf(REFUSAL_REASONS).optional(),
    status: oneOf(shapes.REPLAY_STATUSES).optional(),
    request_id: byName
  }),
  answers: { 200: page(shapes.refusedPost) }
})
/** All of them, in the order of the documentation. */
export const replayEndpoints = [listDeadLetters, listRefused]
