/**
 * A text into the clipboard.
 *
 * Promises: a browser that has no clipboard for the page, or does not let it write, copies nothing and breaks nothing.
 * Never: reads the clipboard.
 */
export const copy = (text: string): void => {
  // Missing where the page came over plain HTTP from another machine, which the types do not know.
  const clipboard = navigator.clipboard as Clipboard | undefined
  void clipboard?.writeText(text).catch(() => undefined)
}
