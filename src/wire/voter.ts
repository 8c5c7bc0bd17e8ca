/**
 * voter: the answer of an endpoint of engine C.
 *
 * Promises: an answer is taken as it is documented or not at all: who answers with a quantity believes that it counts.
 * Never: takes a number that is not from 0 to 1 for a confidence.
 */
import { z } from "zod"
import { VOTES } from "../domain/decision/agents.ts"
import { oneOf } from "./words.ts"

const confidenceWords = "must be a number from 0 to 1"
const reasonsWords = "must be a list of at most 10 texts, each of at most 1000 characters"

export const voterAnswer = z.strictObject({
  vote: oneOf(VOTES),
  confidence: z.number(confidenceWords).min(0, confidenceWords).max(1, confidenceWords),
  reasons: z
    .array(z.string(reasonsWords).max(1_000, reasonsWords), reasonsWords)
    .max(10, reasonsWords)
    .default([])
})
