/**
 * The configuration file while somebody edits it in the page.
 *
 * Promises: what the schema says is wrong is known as soon as it is typed, with its place; what was checked by the service belongs to the
 * text it was checked for; a text that nobody changed is never applied.
 * Never: holds a secret of the file: the service shows a placeholder for each.
 */
import { check as ask, read } from "./api.ts"
import { type Difference, differencesOf } from "./differences.ts"
import { cursorAt, placesIn } from "./json-cursor.ts"
import { namesAt, type Option, type Problem, problemsBy, type Schema, valuesAt } from "./schema-check.ts"

interface File {
  readonly path: string
  readonly file_version: string
  readonly text: string
}

interface Preview {
  readonly problems: ReadonlyArray<Problem>
  readonly applied: ReadonlyArray<string>
  readonly restart: ReadonlyArray<string>
  readonly components: {
    readonly added: ReadonlyArray<string>
    readonly removed: ReadonlyArray<string>
    readonly restarted: ReadonlyArray<string>
  }
  readonly before: unknown
  readonly after: unknown
}

interface Checked extends Preview {
  /** The text that it was checked for. */
  readonly text: string
  readonly differences: ReadonlyArray<Difference>
}

interface Completion {
  readonly options: ReadonlyArray<Option>
  /** What an option replaces. */
  readonly from: number
  readonly to: number
}

const optionsMax = 30

const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

class SettingsText {
  file = $state.raw<File | null>(null)
  text = $state("")
  checked = $state.raw<Checked | null>(null)
  problem = $state("")
  isBusy = $state(false)
  #schema = $state.raw<Schema | null>(null)

  get isChanged(): boolean {
    return this.file !== null && this.text !== this.file.text
  }

  /** By the schema alone. */
  get problems(): ReadonlyArray<Problem> {
    let value: unknown
    try {
      value = JSON.parse(this.text)
    } catch (error) {
      return [{ path: "", message: `is not JSON: ${wordsOf(error)}` }]
    }
    return this.#schema === null ? [] : problemsBy(this.#schema, value)
  }

  async load(): Promise<void> {
    try {
      const [schema, file] = await Promise.all([
        this.#schema ?? read<Schema>("/schemas/holdfast.json"),
        read<File>("/api/v1/settings/file")
      ])
      this.#schema = schema
      this.file = file
      this.text = file.text
      this.checked = null
      this.problem = ""
    } catch (error) {
      this.problem = wordsOf(error)
    }
  }

  /** Asks the service what the text would change. */
  async check(): Promise<void> {
    const { file, text } = this
    if (file === null) return
    this.isBusy = true
    try {
      const preview = await ask<Preview>("/api/v1/settings/preview", {
        text,
        file_version: file.file_version
      })
      this.checked = {
        ...preview,
        text,
        differences: preview.after === null ? [] : differencesOf(preview.before, preview.after)
      }
      this.problem = ""
    } catch (error) {
      this.checked = null
      this.problem = wordsOf(error)
    } finally {
      this.isBusy = false
    }
  }

  /** Where a problem is in the text: the nearest value around it. */
  placeOf(path: string): number {
    const places = placesIn(this.text)
    for (let names = path.split("."); names.length > 0; names = names.slice(0, -1)) {
      const place = places.get(names.join("."))
      if (place !== undefined) return place
    }
    return 0
  }

  /** What may be written where the cursor is. */
  completionAt(at: number): Completion | null {
    if (this.#schema === null) return null
    const { around, expects, from, key, names, written } = cursorAt(this.text, at)
    if (expects === "nothing") return null
    const all =
      expects === "name"
        ? namesAt(this.#schema, around)
            .filter(({ text }) => !names.includes(String(JSON.parse(text))))
            .map((option) => ({ ...option, text: `${option.text}: ` }))
        : valuesAt(this.#schema, [...around, key])
    const typed = written.replaceAll('"', "").toLowerCase()
    const options = all.filter(({ text }) => text.toLowerCase().includes(typed)).slice(0, optionsMax)
    if (options.length === 0) return null
    // What follows in the same word is replaced as well.
    const rest = /^[^\s,:{}[\]]*/.exec(this.text.slice(at))?.[0].length ?? 0
    const colon = expects === "name" ? (/^\s*:\s?/.exec(this.text.slice(at + rest))?.[0].length ?? 0) : 0
    return { options, from, to: at + rest + colon }
  }
}

export const settingsText = new SettingsText()
