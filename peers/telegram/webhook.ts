/**
 * The webhook of the bot: which addresses are taken, and how updates are delivered to it.
 *
 * Promises: an update is delivered until it is answered 2xx, with growing pauses, and given up after a bounded number of
 * attempts; what went wrong last is in `getWebhookInfo`, in the words of the real API.
 * Never: follows a redirect; delivers more at once than the bot allows.
 */
import { apiLimits, type StandInOptions } from "./options.ts"
import { badRequest } from "./refusal.ts"
import type { Faults } from "./faults.ts"
import type { Updates, Waiting } from "./updates.ts"

export interface Webhook {
  readonly url: string
  readonly secret: string | null
  readonly connectionsMax: number
}

const LOCAL_HOST = /^(?:localhost|127\.|10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|\[?::1)/

/** Throws an `ApiRefusal` for an address that Telegram would not take. */
const checkUrl = (url: string, local: boolean): void => {
  const parsed = URL.canParse(url) ? new URL(url) : null
  if (parsed === null) throw badRequest("bad webhook: Invalid URL host specified")
  if (local && parsed.protocol === "http:") return
  if (parsed.protocol !== "https:") throw badRequest("bad webhook: An HTTPS URL must be provided for webhook")
  if (local) return
  const port = parsed.port === "" ? "443" : parsed.port
  if (!apiLimits.webhookPorts.some((one) => one === port))
    throw badRequest("bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443")
  if (LOCAL_HOST.test(parsed.hostname))
    throw badRequest(`bad webhook: IP address ${parsed.hostname} is reserved`)
}

/** The webhook of these parameters; throws an `ApiRefusal`. */
export const webhookOf = (
  url: string,
  secret: string | undefined,
  connections: number | undefined,
  local: boolean
): Webhook => {
  checkUrl(url, local)
  const connectionsMax = connections ?? apiLimits.connectionsDefault
  if (connectionsMax < 1 || connectionsMax > apiLimits.connectionsMax)
    throw badRequest("max_connections must be between 1 and 100")
  if (secret !== undefined && secret.length > apiLimits.secretTokenMax)
    throw badRequest("secret token is too long")
  if (secret !== undefined && !/^[A-Za-z0-9_-]*$/.test(secret))
    throw badRequest("secret token contains unallowed characters")
  return { url, secret: secret === undefined || secret === "" ? null : secret, connectionsMax }
}

const reasonOf = (error: unknown): string => {
  const { name } = error instanceof Error ? error : { name: "" }
  if (name === "TimeoutError") return "Read timeout expired"
  const cause: unknown = error instanceof Error ? error.cause : undefined
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : ""
  return code === "ECONNREFUSED" ? "Connection refused" : `Connection failed: ${code}`
}

interface Attempts {
  readonly count: number
  readonly nextMs: number
}

/** Delivers what waits, while there is a webhook. */
export class Deliveries {
  readonly #options: StandInOptions
  readonly #updates: Updates
  readonly #faults: Faults
  readonly #now: () => number
  readonly #running = new Set<number>()
  readonly #attempts = new Map<number, Attempts>()
  #timer: NodeJS.Timeout | undefined
  #webhook: Webhook | null = null
  lastError: { readonly atMs: number; readonly message: string } | null = null
  /** Updates that were given up. */
  readonly givenUp: Array<number> = []

  constructor(options: StandInOptions, updates: Updates, faults: Faults, now: () => number) {
    this.#options = options
    this.#updates = updates
    this.#faults = faults
    this.#now = now
  }
  get webhook(): Webhook | null {
    return this.#webhook
  }
  set(webhook: Webhook | null): void {
    if (webhook === null || webhook.url !== this.#webhook?.url) this.lastError = null
    this.#webhook = webhook
    this.#attempts.clear()
    this.look()
  }
  stop(): void {
    this.#webhook = null
    clearTimeout(this.#timer)
  }
  /** Starts the deliveries that are due, and comes back when the next one is. */
  look(): void {
    clearTimeout(this.#timer)
    const webhook = this.#webhook
    if (webhook === null) return
    const nowMs = this.#now()
    let nextMs = Number.POSITIVE_INFINITY
    for (const waiting of this.#updates.waiting()) {
      const id = waiting.update.update_id
      const dueMs = this.#attempts.get(id)?.nextMs ?? 0
      if (this.#running.has(id)) continue
      if (dueMs > nowMs) nextMs = Math.min(nextMs, dueMs)
      else if (this.#running.size < webhook.connectionsMax) {
        this.#running.add(id)
        void this.#deliver(webhook, waiting)
      }
    }
    if (nextMs < Number.POSITIVE_INFINITY)
      this.#timer = setTimeout(() => this.look(), Math.max(1, nextMs - nowMs))
  }
  async #deliver(webhook: Webhook, { update }: Waiting): Promise<void> {
    const id = update.update_id
    const trouble =
      this.#faults.take("webhook") === null ? await this.#post(webhook, update) : "Connection refused"
    this.#running.delete(id)
    if (trouble === null) {
      this.#updates.remove(id)
      this.#attempts.delete(id)
    } else this.#failed(id, trouble)
    this.look()
  }
  #failed(id: number, message: string): void {
    const { webhookAttempts, webhookRetryMs, webhookRetryMsMax } = this.#options
    const nowMs = this.#now()
    this.lastError = { atMs: nowMs, message }
    const count = (this.#attempts.get(id)?.count ?? 0) + 1
    const pauseMs = Math.min(webhookRetryMsMax, webhookRetryMs * 2 ** Math.min(count - 1, 20))
    this.#attempts.set(id, { count, nextMs: nowMs + pauseMs })
    if (count < webhookAttempts) return
    this.givenUp.push(id)
    this.#updates.remove(id)
    this.#attempts.delete(id)
  }
  /** Null when it was taken, else what went wrong. */
  async #post({ secret, url }: Webhook, update: object): Promise<string | null> {
    try {
      const answer = await fetch(url, {
        method: "POST",
        redirect: "manual",
        headers: {
          "content-type": "application/json",
          ...(secret === null ? {} : { "x-telegram-bot-api-secret-token": secret })
        },
        body: JSON.stringify(update),
        signal: AbortSignal.timeout(this.#options.webhookAnswerMs)
      })
      await answer.arrayBuffer()
      if (answer.ok) return null
      return `Wrong response from the webhook: ${answer.status} ${answer.statusText}`
    } catch (error) {
      return reasonOf(error)
    }
  }
}
