/** What each kind of sink is sent. */
import { assert, describe, it } from "vitest"
import type { OutboxAlert } from "../../../src/domain/alerts/outbox-delivery.ts"
import {
  discordDocument,
  documentOf,
  mailOf,
  sinkMessage,
  slackDocument
} from "../../../src/domain/operators/sink-message.ts"

const alert = (n: number, over: Partial<OutboxAlert> = {}): OutboxAlert => ({
  alertId: `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`,
  severity: "HIGH",
  kind: "order.vanished",
  message: `order number ${n} is gone`,
  component: "root/trading/accounts/a",
  account: "a",
  atMs: 0,
  ...over
})
const message = (alerts: ReadonlyArray<OutboxAlert>, isEscalated = false) => {
  const [first = assert.fail("there is none"), ...others] = alerts
  return sinkMessage("PAPER", { id: "d", isEscalated, alerts: [first, ...others] })
}
const many = Array.from({ length: 13 }, (_, n) => alert(n))
const critical = Array.from({ length: 20 }, (_, n) =>
  alert(n, { severity: "CRITICAL", message: `number ${n} ${"x".repeat(900)}` })
)

describe("a message", () => {
  it("names one alert with the mode it is from, and counts the others of its kind", () => {
    assert.deepStrictEqual(documentOf(message(many)), {
      type: "alert.raised",
      timestamp: "1970-01-01T00:00:00.000Z",
      data: {
        delivery_id: "d",
        mode: "PAPER",
        alert_id: "00000000-0000-4000-8000-000000000000",
        severity: "HIGH",
        kind: "order.vanished",
        message: "order number 0 is gone",
        component: "root/trading/accounts/a",
        account: "a",
        at: "1970-01-01T00:00:00.000Z",
        also: [],
        more: 12
      }
    })
    assert.strictEqual(
      slackDocument(message(many)).text,
      "*PAPER HIGH order.vanished*\norder number 0 is gone\n12 more like this"
    )
    assert.strictEqual(mailOf(message(many)).subject, "[holdfast] PAPER HIGH order.vanished (and 12 more)")
  })
  it("names every CRITICAL one, within what its receiver takes", () => {
    const whole = message(critical)
    assert.lengthOf(documentOf(whole).data.also, 19)
    const { content } = discordDocument(whole)
    assert.isAtMost(content.length, 2_000)
    const { text } = slackDocument(whole)
    const mail = mailOf(whole).text
    for (let n = 0; n < 20; n += 1)
      for (const shown of [content, text, mail]) assert.include(shown, `number ${n} x`)
  })
  it("says that nobody has acknowledged it", () => {
    const late = message([alert(1, { severity: "CRITICAL" })], true)
    assert.strictEqual(documentOf(late).type, "alert.escalated")
    assert.match(mailOf(late).subject, /CRITICAL order\.vanished - nobody has acknowledged it$/)
  })
  it("lets nothing that a peer wrote forge lines, call people or make links", () => {
    const hostile = message([
      alert(1, { message: "<!channel> @everyone\nBcc: you@example.com **x** [a](b)" })
    ])
    assert.strictEqual(
      slackDocument(hostile).text.split("\n")[1],
      "&lt;!channel&gt; @everyone Bcc: you@example.com **x** [a](b)"
    )
    const { allowed_mentions: mentions, content } = discordDocument(hostile)
    assert.deepStrictEqual(mentions, { parse: [] })
    assert.include(content, "\\*\\*x\\*\\* \\[a\\](b)")
    assert.lengthOf(content.split("\n"), 2)
  })
  it("is the same however often it is made", () => {
    assert.deepStrictEqual(documentOf(message(many)), documentOf(message(many)))
  })
})
