/**
 * endpoint: what is known of every endpoint, whatever it is about.
 *
 * Promises: the schemas of an endpoint keep their types.
 * Never: knows one of them.
 */
import type { z } from "zod"

/** What is answered that is no JSON of ours. */
export interface TextAnswer {
  readonly text: string
}

export interface Endpoint {
  readonly method: "GET" | "POST"
  /** Segments; one that starts with a colon is a parameter. */
  readonly path: string
  /** `open` to everybody; `api`: for who may read it, or control by it where the method is POST; `webhook`: as its source says. */
  readonly access: "open" | "api" | "webhook"
  readonly tag: "health" | "intake" | "trading" | "operations" | "session" | "console"
  /** Unique among all endpoints, for generated clients. */
  readonly name: string
  readonly summary: string
  readonly query?: z.ZodObject
  readonly body?: z.ZodObject
  /** By status code. */
  readonly answers: Readonly<Record<number, z.ZodType | TextAnswer>>
}

/** Keeps the type of each schema. */
export const endpoint = <const E extends Endpoint>(given: E): E => given

export const get = { method: "GET" } as const
export const list = { method: "GET", access: "api" } as const
export const command = { method: "POST", access: "api" } as const
