import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { readAlertLog } from "../../../src/domain/intake/alert-log.ts"

const cell = (text: string): string => `"${text.replaceAll('"', '""')}"`
const read = (text: string) => {
  const lines = readAlertLog(text)
  if (Result.isFailure(lines)) return assert.fail(lines.failure.message)
  return lines.success
}
const problem = (text: string): string => {
  const lines = readAlertLog(text)
  return Result.isFailure(lines)
    ? `${lines.failure.path} ${lines.failure.message}`
    : assert.fail("it was read")
}
const body = '{\n  "symbol": "SPY",\n  "note": "a, \\"b\\""\n}'
const at = Date.parse("2026-03-02T14:35:00Z")

describe("a log of alerts", () => {
  it("[TradingView] is CSV whose descriptions have commas, quotes and lines of their own, newest first", () => {
    const lines = read(
      `\u{feff}Alert ID,Ticker,Name,Description,Time,Webhook status\r\n` +
        `2,"NASDAQ:SPY, 5m",Breakout,${cell(body)},2026-03-02T14:35:00Z,Delivered\r\n` +
        `1,"NASDAQ:SPY, 5m","Say ""when""",plain text,2026-03-02T14:30:00Z,\r\n`
    )
    assert.deepStrictEqual(lines, [
      {
        line: 2,
        id: "2",
        name: "Breakout",
        senderStatus: "Delivered",
        alert: { atMs: at, text: body },
        unreadable: null
      },
      {
        line: 6,
        id: "1",
        name: 'Say "when"',
        senderStatus: null,
        alert: { atMs: at - 300_000, text: "plain text" },
        unreadable: null
      }
    ])
  })

  for (const [form, text] of [
    ["columns in another order and case", `TEXT,Time\nhello,2026-03-02T14:35:00Z\n`],
    ["semicolons", `time;message\n2026-03-02T14:35:00Z;hello\n`],
    ["tabs", `time\ttext\n2026-03-02T14:35:00Z\thello`],
    ["a JSON list", `[{"time": 1772462100, "text": "hello"}]`],
    ["a JSON page", `{"items": [{"timestamp": "2026-03-02T14:35:00Z", "body": "hello"}]}`],
    ["a JSON object per line", `{"time":"2026-03-02T14:35:00Z","text":"hello"}\n\n`]
  ] as const) {
    it(`[${form}] has a time and a text`, () => {
      assert.deepStrictEqual(
        read(text).map(({ alert }) => alert),
        [{ atMs: at, text: "hello" }]
      )
    })
  }

  it("[JSON] has a body as an object", () => {
    assert.strictEqual(
      read(`[{"time": "2026-03-02T14:35:00Z", "body": {"symbol": "SPY"}}]`)[0]?.alert?.text,
      '{"symbol":"SPY"}'
    )
  })

  it("keeps what cannot be read as a line, with why", () => {
    const lines = read("time,text\n2026-03-02 14:35,a\nyesterday,b\n2026-03-02T14:35:00Z\n")
    assert.deepStrictEqual(
      lines.map(({ line, unreadable }) => [line, unreadable?.split(":")[0]]),
      [
        [2, "its time must have a zone, such as Z or +02"],
        [3, "its time must be a time"],
        [4, "it has no text"]
      ]
    )
    assert.deepStrictEqual(
      read(`{"time":"2026-03-02T14:35:00Z","text":"a"}\n{"time":\n5\n`).map(
        ({ unreadable }) => unreadable === null
      ),
      [true, false, false]
    )
  })

  it("is refused as a whole when it is none", () => {
    assert.include(problem("  "), "log must not be empty")
    assert.include(problem("when,what\n1,2\n"), "log must have a column time or timestamp")
    assert.include(problem("time,what\n1,2\n"), "log must have a column description or message")
    assert.include(problem("[1, 2"), "log must be CSV or JSON")
    assert.include(problem(`time,text\n${"1,2\n".repeat(5_001)}`), "at most 5000 alerts")
  })

  it("an unclosed quote swallows the rest and loses no line before it", () => {
    const lines = read(`time,text\n2026-03-02T14:35:00Z,a\n2026-03-02T14:36:00Z,"b\n2026-03-02T14:37:00Z,c\n`)
    assert.strictEqual(lines.length, 2)
    assert.strictEqual(lines[0]?.alert?.text, "a")
  })
})
