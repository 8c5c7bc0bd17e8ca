/**
 * Notes of DATA_DIR: small texts that a later life reads, such as the node's identity.
 *
 * A crash may leave anything in a note's place. A note that cannot be read counts as absent: its content is then
 * found elsewhere or recreated, and that must not fail because of what is in the way.
 *
 * Promises: a note is complete or absent (written to a sibling, flushed, renamed); whatever else has its name is replaced.
 * Never: reads more than `noteBytesMax`, or anything but a plain file.
 * Failure: writing throws the error of the file system.
 */
import * as fs from "node:fs"
import * as path from "node:path"

const noteBytesMax = 4_096

/** The text without the blanks around it; null when there is no readable note. */
export const readNote = (directory: string, name: string): string | null => {
  try {
    const file = path.join(directory, name)
    const stat = fs.lstatSync(file)
    return stat.isFile() && stat.size <= noteBytesMax ? fs.readFileSync(file, "utf8").trim() : null
  } catch {
    return null
  }
}

const isPlain = (file: string): boolean => fs.lstatSync(file, { throwIfNoEntry: false })?.isFile() ?? true

export const writeNote = (directory: string, name: string, text: string): void => {
  const file = path.join(directory, name)
  const sibling = `${file}.new`
  for (const place of [file, sibling]) if (!isPlain(place)) fs.rmSync(place, { recursive: true, force: true })
  fs.writeFileSync(sibling, `${text}\n`, { flush: true })
  fs.renameSync(sibling, file)
}
