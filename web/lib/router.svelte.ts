/**
 * The router: the page is what stands behind `#/` in the address, so every view has a link.
 *
 * Promises: `#/machine/root%2Fhttp?x=y` gives the page `machine`, its argument decoded, and its query; a token in the address
 * is taken out of it at once.
 * Never: keeps a token in the history.
 */
class Router {
  page = $state("")
  argument = $state("")
  query = $state.raw<Readonly<Record<string, string>>>({})

  constructor() {
    this.read()
    globalThis.addEventListener("hashchange", () => {
      const token = this.takeToken()
      if (token === null) this.read()
      else this.onToken(token)
    })
  }

  /** Called with a token that came into the address of an open page. */
  onToken: (token: string) => void = () => {}

  /** Where the page was opened with `#token=T`: the token, removed from the address. */
  takeToken(): string | null {
    const match = /^#token=(.+)$/.exec(location.hash)
    if (match === null) return null
    history.replaceState(null, "", "#/")
    this.read()
    try {
      return decodeURIComponent(match[1] ?? "")
    } catch {
      // As it was typed; the service then says what it is worth.
      return match[1] ?? ""
    }
  }

  read(): void {
    const [path = "", query = ""] = location.hash.replace(/^#\/?/, "").split("?")
    const cut = path.indexOf("/")
    this.page = cut < 0 ? path : path.slice(0, cut)
    try {
      this.argument = cut < 0 ? "" : decodeURIComponent(path.slice(cut + 1))
    } catch {
      // An address that somebody typed; it names nothing.
      this.argument = ""
    }
    this.query = Object.fromEntries(new URLSearchParams(query))
  }

  /** Replaces the query of the address, so that a filter is part of the link. */
  filter(query: Readonly<Record<string, string>>): void {
    const kept = Object.fromEntries(Object.entries(query).filter(([, value]) => value !== ""))
    const text = new URLSearchParams(kept).toString()
    const at = this.argument === "" ? this.page : `${this.page}/${encodeURIComponent(this.argument)}`
    history.replaceState(null, "", `#/${at}${text === "" ? "" : `?${text}`}`)
    this.query = kept
  }
}

export const router = new Router()
