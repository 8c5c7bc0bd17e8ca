/**
 * endpoint: the type of every endpoint of the table.
 *
 * Promises: the schemas of an endpoint keep their types.
 * Never: knows one of them.
 */
import type { z } from "zod"

/** Responses that are not JSON of ours. */
export interface TextAnswer {
  readonly text: string
}

export interface Endpoint {
  readonly method: "GET" | "POST"
  /** Segments; one that starts with a colon is a parameter. */
  readonly path: string
  /** `open` to everybody; `api`: for readers, or for control where the method is POST; `webhook`: as its source is configured. */
  readonly access: "open" | "api" | "webhook"
  readonly tag: "health" | "intake" | "trading" | "commands" | "operations" | "session" | "console"
  /** Unique among all endpoints, for generated clients. */
  readonly name: string
  readonly summary: string
  readonly query?: z.ZodObject
  readonly body?: z.ZodObject
  /** Bytes of the body; absent: those of a command. */
  readonly bodyBytesMax?: number
  /** The bodies of the intake, which distinguishes them and decodes them itself. */
  readonly bodies?: z.ZodUnion<ReadonlyArray<z.ZodObject>>
  /** Content type of the stream that it answers as well, where it does. */
  readonly streams?: string
  /** By status code. */
  readonly answers: Readonly<Record<number, z.ZodType | TextAnswer>>
}

/** Keeps the type of each schema. */
export const endpoint = <const E extends Endpoint>(given: E): E => given

export const get = { method: "GET" } as const
export const list = { method: "GET", access: "api" } as const
export const command = { method: "POST", access: "api" } as const
