/**
 * The console's files, as `npm run build` left them in dist/console.
 *
 * Promises: only what the build listed is served, so no name leads out of the folder; a name that carries its content's hash
 * may be kept by browsers for good, everything else is compared at each use; a build that replaces the folder meanwhile is
 * served from the next request on.
 * Never: reads before somebody asks; builds anything.
 * Failure: a console that was not built is null, for the caller to answer in words.
 */
import { readFile } from "node:fs/promises"
import path from "node:path"
import { Effect } from "effect"
import { z } from "zod"
import { projectRoot } from "../platform/build.files.ts"

const folder = path.join(projectRoot, "dist", "console")

const listed = z.array(
  z.object({ name: z.string(), type: z.string(), digest: z.string(), compressed: z.boolean() })
)

export interface ConsoleFile {
  /** Null: what the caller has is still what it is. */
  readonly bytes: Buffer | null
  readonly contentType: string
  readonly headers: Readonly<Record<string, string>>
}

/** The names that Vite gives: `index-Cob9QuKB.js`. */
const isHashed = (name: string): boolean => /-[A-Za-z0-9_-]{8}\.[a-z0-9]+$/.test(name)

const readOrNull = (name: string): Promise<Buffer | null> =>
  // Whatever keeps a file from being read, an operator is answered that the console is not built.
  readFile(path.join(folder, name)).catch(() => null)

const list = async (): Promise<z.infer<typeof listed> | null> => {
  const bytes = await readOrNull("files.json")
  if (bytes === null) return null
  return listed.parse(JSON.parse(bytes.toString("utf8")))
}

/** Whether a request takes gzip; the header is a list with weights, of which 0 is a no. */
const takesGzip = (encodings: string): boolean =>
  encodings.split(",").some((one) => /^\s*(gzip|\*)\s*(;\s*q=(?!0(\.0*)?\s*$).*)?$/i.test(one))

/** A file for a request with these headers. `missing`: there is no such file; null: the console was not built. */
export const consoleFile = (
  name: string,
  { encodings, knows }: { readonly encodings: string; readonly knows: string | undefined }
): Effect.Effect<ConsoleFile | "missing" | null> =>
  Effect.promise(async () => {
    const files = await list()
    if (files === null) return null
    const found = files.find((file) => file.name === name)
    if (found === undefined) return "missing"
    const etag = `"${found.digest}"`
    const cached = {
      etag,
      vary: "accept-encoding",
      "cache-control": isHashed(name) ? "public, max-age=31536000, immutable" : "no-cache"
    }
    if (knows === etag) return { bytes: null, contentType: found.type, headers: cached }
    const isGzip = found.compressed && takesGzip(encodings)
    const bytes = await readOrNull(isGzip ? `${name}.gz` : name)
    if (bytes === null) return null
    return {
      bytes,
      contentType: found.type,
      headers: {
        ...cached,
        ...(isGzip ? { "content-encoding": "gzip" } : {})
      }
    }
  })
