/**
 * Shows the progress of a vitest run: one counter on a terminal, one line every half minute elsewhere.
 *
 * Why: what passes is not printed (a green run is a screen), and minutes of silence look like a run that hangs.
 * The running files are named, because a run that does hang hangs in one of them.
 *
 * Promises: at most one line per `EVERY_MS` and one at the end; on a terminal one line that is overwritten and cleared
 * before anything else is printed.
 * A long run says at once what failed and why, because somebody may not wait for its end.
 * Never: repeats in a short run what vitest's own reporter says at its end.
 */
import type { Reporter, TestCase, TestModule } from "vitest/node"

const EVERY_MS = 30_000
const TERMINAL_EVERY_MS = 1_000
/** Of an error that is shown before the end: the first is the cause, and a log may hang on it. */
const MESSAGE_MAX = 6_000
/** Four workers by default; more names than these do not fit a line. */
const NAMES_MAX = 4

export default class ProgressReporter implements Reporter {
  readonly #isTerminal = process.stdout.isTTY
  readonly #running = new Set<string>()
  #files = 0
  #filesDone = 0
  #passed = 0
  #failed = 0
  #since = 0
  #timer: NodeJS.Timeout | undefined

  onTestRunStart(specifications: ReadonlyArray<unknown>): void {
    this.#since = Date.now()
    this.#files = specifications.length
    const everyMs = this.#isTerminal ? TERMINAL_EVERY_MS : EVERY_MS
    this.#timer = setInterval(() => this.#say(), everyMs)
    this.#timer.unref()
  }
  onTestModuleStart(module: TestModule): void {
    this.#running.add(module.relativeModuleId)
  }
  onTestModuleEnd(module: TestModule): void {
    this.#clear()
    this.#running.delete(module.relativeModuleId)
    this.#filesDone += 1
  }
  onTestCaseResult(test: TestCase): void {
    const { errors, state } = test.result()
    if (state === "passed") this.#passed += 1
    if (state !== "failed") return
    this.#clear()
    this.#failed += 1
    if (process.env["TEST_SIZE"] !== "long") return
    const why = (errors ?? []).map(({ message }) => message.slice(0, MESSAGE_MAX))
    console.log(`failed: ${test.module.relativeModuleId} > ${test.fullName}\n${why.join("\n")}`)
  }
  onTestRunEnd(): void {
    clearInterval(this.#timer)
    this.#clear()
  }

  #clear(): void {
    if (this.#isTerminal) process.stdout.write("\r\u001B[K")
  }
  #say(): void {
    const seconds = Math.round((Date.now() - this.#since) / 1_000)
    const names = [...this.#running].slice(0, NAMES_MAX).map((name) => name.replace(/^test\//, ""))
    const counts = `${this.#passed} passed, ${this.#failed} failed, ${this.#filesDone} of ${this.#files} files`
    const line = `${seconds} s: ${counts}${names.length === 0 ? "" : `; now ${names.join(", ")}`}`
    if (this.#isTerminal)
      process.stdout.write(`\r\u001B[K${line.slice(0, (process.stdout.columns ?? 80) - 1)}`)
    else console.log(line)
  }
}
