/**
 * A text as a file among the reader's downloads.
 *
 * Promises: the text as it is, under the name that is given.
 * Never: asks the service for anything.
 */
export const download = (name: string, text: string, type = "application/json"): void => {
  const link = document.createElement("a")
  link.href = URL.createObjectURL(new Blob([text], { type }))
  link.download = name
  link.click()
  URL.revokeObjectURL(link.href)
}
