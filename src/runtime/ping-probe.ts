/**
 * One ping on its way through the mailboxes of a tree.
 *
 * Each supervisor is expected before the message is posted to it and answers when it handles it, so the probe is
 * complete when nobody is expected any longer, and a deadline can name who did not answer.
 * Promises: completes once; `deepest` is the longest path still expected.
 * Never: keeps anything after it has completed.
 */
export class PingProbe {
  readonly #expected = new Set<string>()
  #complete: (() => void) | undefined
  constructor(complete: () => void) {
    this.#complete = complete
  }
  /** A message for this path is in a mailbox. */
  expect(path: string): void {
    this.#expected.add(path)
  }
  /** The supervisor of this path has handled it. */
  answered(path: string): void {
    this.#expected.delete(path)
    if (this.#expected.size > 0) return
    const complete = this.#complete
    this.#complete = undefined
    complete?.()
  }
  /** Whoever is furthest from the root among those that did not answer. */
  deepest(): string {
    let found = ""
    for (const path of this.#expected) if (path.length > found.length) found = path
    return found
  }
}
