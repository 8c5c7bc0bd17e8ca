/**
 * Control token from the settings, or from a file in the data directory that is made when there is none.
 *
 * Hexadecimal, because a double click selects all of it, and it contains none of the words that mark a secret as
 * weak.
 *
 * Promises: mode 0600 from the first byte on, written to a sibling and renamed, so a crash leaves the whole file or none; a file
 * that is not a valid token (empty, zeros after a power cut, weak by T1) is replaced, and that is logged.
 * Never: opens anything before `open` runs, or prints the token.
 * Failure: `DataDirUnusable`, when the file can be neither read nor written: a service that nobody can control does not start.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import { Effect, Redacted } from "effect"
import { REDACTED } from "../../domain/kernel/redaction.ts"
import { weakness } from "../../domain/kernel/settings-secrets.ts"
import type { Settings } from "../../domain/kernel/settings.ts"
import type { ControlTokenService, TokenFile } from "./control-token.port.ts"
import { DataDirUnusable } from "./data-dir.port.ts"
import type { EntropyService } from "./entropy.port.ts"
import { errorCodeOf } from "./error-code.ts"

const fileName = "admin-token"

/** As many as the digest a token is compared by; half of them would already be unguessable. */
const generatedBytes = 32

/** Visible ASCII, as a header carries it. */
const tokenForm = /^[\x21-\x7e]+$/

const readToken = (file: string): string | null => {
  try {
    return fs.readFileSync(file, "utf8").trim()
  } catch (cause) {
    if (errorCodeOf(cause) === "ENOENT") return null
    throw cause
  }
}

/** Others may not read it, whoever put it there; a read-only mount is its operator's own choice. */
const keepPrivate = (file: string): void => {
  if ((fs.statSync(file).mode & 0o077) === 0) return
  try {
    fs.chmodSync(file, 0o600)
  } catch (cause) {
    if (errorCodeOf(cause) !== "EROFS" && errorCodeOf(cause) !== "EPERM") throw cause
  }
}

const makeToken = (file: string, entropy: EntropyService): string => {
  const made = Buffer.from(entropy.bytes(generatedBytes)).toString("hex")
  const sibling = `${file}.new`
  // Recreated: the mode of a file that a crash left behind would stay as it is.
  fs.rmSync(sibling, { force: true })
  fs.writeFileSync(sibling, `${made}\n`, { mode: 0o600, flag: "wx", flush: true })
  fs.renameSync(sibling, file)
  return made
}

const readOrMake = (
  file: string,
  entropy: EntropyService
): { readonly token: string; readonly did: TokenFile } => {
  const found = readToken(file)
  if (found !== null && tokenForm.test(found) && weakness(found) === null) {
    keepPrivate(file)
    return { token: found, did: "kept" }
  }
  return { token: makeToken(file, entropy), did: found === null ? "made" : "replaced" }
}

/** The control token of these settings. */
export const makeControlToken = (
  { dataDir, secrets }: Settings,
  entropy: EntropyService
): ControlTokenService => {
  const configured = secrets.admin === null ? null : Redacted.value(secrets.admin)
  const file = path.join(path.resolve(dataDir), fileName)
  let token = configured
  return {
    current: () => token,
    file: configured === null ? file : null,
    open: Effect.suspend(() => {
      if (configured !== null) return Effect.succeed(null)
      return Effect.try({
        try: () => {
          const { did, token: read } = readOrMake(file, entropy)
          token = read
          return did
        },
        catch: (cause) =>
          new DataDirUnusable({
            path: file,
            cause,
            hint: "the file must be readable and writable by the user that runs holdfast; or set ADMIN_TOKEN"
          })
      })
    }),
    mask: (text) => (token === null ? text : text.replaceAll(token, REDACTED))
  }
}
