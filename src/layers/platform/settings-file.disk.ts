/**
 * Settings file on disk.
 *
 * A file that a person maintains is replaced by a program here, so nothing of it may be lost: the new text is written to a file next to it,
 * reaches the disk, and takes its name; what was there stays next to it under `NAME.former`. A link, as containers mount
 * configuration by, is followed, so that what it leads to is replaced and not the link.
 *
 * Promises: whoever reads meanwhile finds the former text or the new one; the file keeps its mode and its owner, and a file that is made is
 * its owner's alone, as the former text always is; a file that is longer than the loader reads is not read.
 * Never: writes over a text that is not the one it was given.
 * Failure: `SettingsFileFault` with the file and the code of the system: missing rights, a read-only mount, a full disk.
 */
import * as fs from "node:fs"
import * as path from "node:path"
import { Effect, Layer } from "effect"
import { digest128 } from "../../domain/kernel/ids.ts"
import { settingsLimits } from "../../domain/kernel/limits.ts"
import { decodeText } from "./config.load.ts"
import { errorCodeOf } from "./error-code.ts"
import { type FileText, SettingsFile, SettingsFileFault } from "./settings-file.port.ts"

const fault = (what: string, file: string, caught: unknown): SettingsFileFault =>
  new SettingsFileFault({ message: `cannot ${what} ${file}: ${String(errorCodeOf(caught) ?? caught)}` })

const versionOf = (text: string | null): string => digest128("settings.file", [text ?? ""]).slice(0, 16)

const read = (file: string): FileText => {
  let bytes: Uint8Array
  try {
    const { size } = fs.statSync(file)
    if (size > settingsLimits.fileBytesMax)
      throw new SettingsFileFault({
        message: `${file} has more than ${settingsLimits.fileBytesMax} bytes`
      })
    bytes = fs.readFileSync(file)
  } catch (caught) {
    if (errorCodeOf(caught) === "ENOENT") return { path: file, text: null, version: "none" }
    throw caught instanceof SettingsFileFault ? caught : fault("read", file, caught)
  }
  const text = decodeText(bytes)
  if (text === null) throw new SettingsFileFault({ message: `${file} is not UTF-8 text` })
  return { path: file, text, version: versionOf(text) }
}

/** Writes a file whole, under a name of its own, and gives it its name when it is on the disk. */
const put = (file: string, text: string, mode: number, owner: fs.Stats | undefined): void => {
  const sibling = `${file}.new`
  fs.rmSync(sibling, { force: true })
  const handle = fs.openSync(sibling, "wx", mode)
  try {
    // The mask of the process may have taken some of the mode away.
    fs.fchmodSync(handle, mode)
    if (owner !== undefined && (owner.uid !== process.getuid?.() || owner.gid !== process.getgid?.()))
      fs.fchownSync(handle, owner.uid, owner.gid)
    fs.writeFileSync(handle, text)
    fs.fsyncSync(handle)
  } catch (caught) {
    fs.rmSync(sibling, { force: true })
    throw caught
  } finally {
    fs.closeSync(handle)
  }
  fs.renameSync(sibling, file)
}

/** Without it a power cut could bring the former name back. */
const reachDisk = (file: string): void => {
  const directory = fs.openSync(path.dirname(file), "r")
  try {
    fs.fsyncSync(directory)
  } finally {
    fs.closeSync(directory)
  }
}

const PRIVATE = 0o600

const replace = (former: FileText, text: string | null): FileText => {
  const file = former.path
  if (read(file).version !== former.version)
    throw new SettingsFileFault({ message: `${file} was changed meanwhile` })
  try {
    const found = fs.statSync(file, { throwIfNoEntry: false })
    if (former.text !== null) put(`${file}.former`, former.text, PRIVATE, found)
    if (text === null) fs.rmSync(file, { force: true })
    else put(file, text, found === undefined ? PRIVATE : found.mode & 0o777, found)
    reachDisk(file)
  } catch (caught) {
    throw fault("write", file, caught)
  }
  return read(file)
}

/** Where a link leads to; of a file that does not exist, its own path. */
const followed = (file: string): string => {
  try {
    return fs.realpathSync(file)
  } catch {
    return file
  }
}

const attempt = (look: () => FileText): Effect.Effect<FileText, SettingsFileFault> =>
  Effect.try({
    try: look,
    catch: (caught) =>
      caught instanceof SettingsFileFault ? caught : new SettingsFileFault({ message: String(caught) })
  })

/** The file at this path. */
export const settingsFileDisk = (file: string): Layer.Layer<SettingsFile> =>
  Layer.succeed(
    SettingsFile,
    SettingsFile.of({
      read: attempt(() => read(followed(file))),
      replace: (former, text) => attempt(() => replace(former, text))
    })
  )
