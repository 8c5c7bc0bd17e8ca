/**
 * The service as the console sees it: one way to read, one way to give a command, with a deadline on both.
 *
 * Promises: addresses are relative to the page, so a path prefix in front of the service is kept; a refusal becomes an
 * `ApiError` with the service's own words; a command carries the session's CSRF token and a key of its own, so that a repeated
 * press is one command.
 * Never: keeps the control token: it is exchanged for a session once and forgotten.
 * Failure: no answer within the deadline, or no connection, is an `ApiError` of status 0.
 */

/** Longer than the service's own deadline for a read, so that its answer is seen where there is one. */
const readMs = 10_000
/** A command may wait for a transaction. */
const commandMs = 20_000
/** A report reads two days of a journal. */
export const reportMs = 25_000

export class ApiError extends Error {
  readonly status: number
  readonly body: unknown
  constructor(status: number, message: string, body: unknown = null) {
    super(message)
    this.status = status
    this.body = body
  }
}

/** The service's root, from the page's own address: the console is one folder below it. */
const base = new URL("../", document.baseURI)

export interface Session {
  readonly by: string | null
  readonly csrf: string | null
}

let csrf: string | null = null

const wordsOf = (status: number, body: unknown): string => {
  if (typeof body !== "object" || body === null) return `the service answered ${status}`
  const {
    errors,
    message,
    request_id: _,
    status: word,
    ...rest
  } = body as {
    readonly errors?: ReadonlyArray<{ readonly path: string; readonly message: string }>
    readonly message?: string
    readonly request_id?: string
    readonly status?: string
  }
  const listed = (errors ?? []).map(({ message, path }) => (path === "" ? message : `${path}: ${message}`))
  // What else a refusal names: the reason, the positions that would be unprotected, the count that it found.
  const more = Object.entries(rest).map(
    ([name, value]) => `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`
  )
  return [word ?? String(status), ...(message === undefined ? [] : [message]), ...listed, ...more].join("; ")
}

const request = async (path: string, init: RequestInit, deadlineMs: number): Promise<unknown> => {
  let response: Response
  let text: string
  try {
    response = await fetch(new URL(path.replace(/^\//, ""), base), {
      ...init,
      credentials: "same-origin",
      signal: AbortSignal.timeout(deadlineMs)
    })
    text = await response.text()
  } catch {
    throw new ApiError(0, "the service does not answer")
  }
  let body: unknown = text
  try {
    body = JSON.parse(text)
  } catch {
    // Text, which the sentences of a trace and the metrics are.
  }
  // Health answers 503 with its document, which is what is asked for.
  if (!response.ok && !(path.startsWith("/health") && response.status === 503))
    throw new ApiError(response.status, wordsOf(response.status, body), body)
  return body
}

/** Reads a path of the service. */
export const read = <A>(path: string, deadlineMs = readMs): Promise<A> =>
  request(path, {}, deadlineMs) as Promise<A>

/** All rows of a list, up to a thousand; `more` when there are others. */
export const readAll = async <Row>(
  path: string
): Promise<{ readonly items: ReadonlyArray<Row>; readonly more: boolean }> => {
  const items: Array<Row> = []
  let cursor: string | null = null
  for (let pages = 0; pages < 5; pages += 1) {
    const page: { readonly items: ReadonlyArray<Row>; readonly next_cursor: string | null } = await read(
      `${path}${path.includes("?") ? "&" : "?"}limit=200${cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`}`
    )
    items.push(...page.items)
    cursor = page.next_cursor
    if (cursor === null) return { items, more: false }
  }
  return { items, more: true }
}

/** Who the browser is to the service; null without a session, a token or a place on the same machine. */
export const whoAmI = async (): Promise<Session | null> => {
  try {
    const session = await read<{ readonly by: string; readonly csrf_token: string | null }>("/api/v1/session")
    csrf = session.csrf_token
    return { by: session.by, csrf }
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return null
    throw error
  }
}

/** Exchanges the control token for a session. */
export const logIn = async (token: string): Promise<void> => {
  const answer = (await request(
    "/api/v1/session",
    {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: "{}"
    },
    readMs
  )) as { readonly csrf_token: string | null }
  csrf = answer.csrf_token
}

const post = (path: string, body: unknown, headers: Record<string, string>): Promise<unknown> =>
  request(
    path,
    {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...(csrf === null ? {} : { "x-csrf-token": csrf }),
        ...headers
      },
      body: JSON.stringify(body)
    },
    commandMs
  )

export const logOut = async (): Promise<void> => {
  await post("/api/v1/session/end", {}, {})
  csrf = null
}

/** Asks what a body would do; nothing is done of it. */
export const check = <A>(path: string, body: unknown): Promise<A> => post(path, body, {}) as Promise<A>

/** What would be made of a post of a sender: its bytes as they are, and where it would come from. */
export const tryPost = (source: string, body: string, address: string): Promise<unknown> =>
  request(
    `/webhook/${encodeURIComponent(source)}/try${address === "" ? "" : `?address=${encodeURIComponent(address)}`}`,
    {
      method: "POST",
      headers: { "content-type": "text/plain", ...(csrf === null ? {} : { "x-csrf-token": csrf }) },
      body
    },
    readMs
  )

/** Gives a command. `key`: one for each time somebody decides, kept while the same decision is tried again. */
export const give = (path: string, body: unknown, key: string): Promise<unknown> =>
  post(path, body, { "idempotency-key": key })
