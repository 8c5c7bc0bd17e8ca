import { assert, describe, it } from "vitest"
import { oneLine } from "../../../src/domain/kernel/text-line.ts"
import { alertChats, roleIn } from "../../../src/domain/operators/telegram-access.ts"
import { alertMessages, type SentAlert } from "../../../src/domain/operators/telegram-alerts.ts"
import { telegramLimits } from "../../../src/domain/operators/telegram-limits.ts"
import { PRESS_ANSWER, TelegramPace } from "../../../src/domain/operators/telegram-pace.ts"
import { quietAt } from "../../../src/domain/operators/telegram-quiet.ts"
import { block, lasting, pagesOf, table } from "../../../src/domain/operators/telegram-text.ts"
import { isUnreachable } from "../../../src/domain/operators/telegram-unreachable.ts"
import {
  isLikeQuantity,
  isQuantity,
  namesBot,
  pressedIn,
  runKey,
  spokenIn
} from "../../../src/domain/operators/telegram-words.ts"
import { settingsFrom } from "../../support/practice-settings.ts"

const chats = {
  "1": { role: "operator", users: {} },
  "2": { role: "viewer", users: {} },
  "-10": { role: "operator", users: { "5": "operator", "1": "viewer" } },
  "-20": { role: "viewer", users: {} },
  "-30": { role: "operator", users: {} }
} as const

describe("who may do what", () => {
  it.each<[number, number, string | null]>([
    [1, 1, "operator"],
    [2, 2, "viewer"],
    [3, 3, null],
    [1, 3, null],
    [-10, 5, "operator"],
    [-10, 1, "viewer"],
    [-10, 9, "viewer"],
    [-20, 1, "viewer"],
    [-30, 1, "operator"],
    [-30, 2, "viewer"],
    [-40, 1, null]
  ])("in chat %i user %i is %s", (chat, user, role) => {
    assert.strictEqual(roleIn({ chats }, chat, user), role)
  })
  it("a name of every object is no chat", () => {
    assert.strictEqual(roleIn({ chats: {} }, Number("NaN"), 1), null)
  })
  it("alerts go to chats of operators, unless a chat says otherwise", () => {
    const more = { ...chats, "2": { ...chats["2"], alerts: true }, "-10": { ...chats["-10"], alerts: false } }
    assert.deepStrictEqual(
      [...alertChats({ chats: more })].toSorted((a, b) => a - b),
      [-30, 1, 2]
    )
  })
})

describe("words", () => {
  it.each<[string, string | null, ReadonlyArray<string>]>([
    ["/status", "status", []],
    ["/Status@Bot now", "status", ["now"]],
    ["/status@other", null, []],
    ["status", null, []],
    ["/halt account:A\nreally", "halt", ["account:A", "really"]],
    ["/", null, []]
  ])("%j is %s", (text, name, words) => {
    const said = spokenIn(text, "bot")
    assert.strictEqual(said?.name ?? null, name)
    assert.deepStrictEqual(said?.words ?? [], words)
  })
  it("a command that names a bot cannot be understood before the name of ours is known", () => {
    assert.deepStrictEqual(["/halt@bot x", "/halt x", "a /halt@bot", "mail@bot"].map(namesBot), [
      true,
      false,
      false,
      false
    ])
  })
  it.each<[string, boolean, boolean]>([
    ["1", true, true],
    ["0.5", true, true],
    ["0", false, true],
    ["50%", false, true],
    ["-1", false, true],
    [".5", false, true],
    ["1,5", false, true],
    ["rain", false, false],
    ["", false, false]
  ])("%j is a quantity: %s, was meant as one: %s", (word, isOne, isMeant) => {
    assert.deepStrictEqual([isQuantity(word), isLikeQuantity(word)], [isOne, isMeant])
  })
  it("a button that Telegram would not take is none", () => {
    assert.lengthOf(runKey("x", `/close ${"x".repeat(36)}`), 1)
    assert.lengthOf(runKey("x", `/close ${"x".repeat(60)}`), 0)
    assert.deepStrictEqual(pressedIn("y:1"), { _tag: "Confirm", id: "1" })
    assert.strictEqual(pressedIn("z:1"), null)
    assert.strictEqual(pressedIn(undefined), null)
  })
})

describe("text for a phone", () => {
  it("escapes what others wrote, and keeps it on its line", () => {
    assert.strictEqual(block(["<b>&"]), "<pre>&lt;b&gt;&amp;</pre>")
    assert.strictEqual(oneLine("a\n\u202eb"), "a b")
  })
  it("pages are below the limit, and no line is lost", () => {
    const lines = Array.from({ length: 500 }, (_, at) => `${at} ${"<".repeat(30)}`)
    const pages = pagesOf("<b>Head</b>", lines)
    assert.isTrue(pages.every((page) => page.length < 4_096))
    for (const at of [0, 250, 499]) assert.isTrue(pages.some((page) => page.includes(`${at} &lt;`)))
    assert.match(pages[0] ?? "", /^<b>Head<\/b>/)
    assert.match(pages.at(-1) ?? "", /\(\d+ of \d+\)$/)
  })
  it("columns are aligned, durations are short", () => {
    assert.deepStrictEqual(
      table([
        ["a", "1"],
        ["bcd", "2"]
      ]),
      ["a   1", "bcd 2"]
    )
    assert.deepStrictEqual([7_400, 180_000, 7_200_000].map(lasting), ["7 s", "3 min", "2 h"])
  })
})

describe("alerts on a phone", () => {
  const rules = settingsFrom({
    telegram: { alerts: { kinds: { "feed.flapping": "off", "exit.blocked": "off" } } }
  }).telegram
  const alert = (severity: SentAlert["severity"], kind: string, n = 0): SentAlert => ({
    id: `${kind}/${n}`,
    severity,
    kind,
    message: `${kind} number ${n}`,
    strategy: null,
    atMs: Date.parse("2026-11-30T12:00:00Z")
  })
  it("one is one message, with sound by its severity; off is off, except for what is CRITICAL", () => {
    const sent = alertMessages(rules, [
      alert("HIGH", "broker.not_recovered"),
      alert("MEDIUM", "post.refused"),
      alert("LOW", "trading_state.changed"),
      alert("MEDIUM", "feed.flapping"),
      alert("CRITICAL", "exit.blocked")
    ])
    assert.deepStrictEqual(
      sent.map(({ alertId, isSilent }) => [alertId, isSilent]),
      [
        ["broker.not_recovered/0", false],
        ["post.refused/0", true],
        ["exit.blocked/0", false]
      ]
    )
  })
  it("those of one kind are one message that counts the others", () => {
    const many = Array.from({ length: 13 }, (_, n) => alert("HIGH", "order.needs_operator", n))
    const [only, ...others] = alertMessages(rules, many)
    assert.lengthOf(others, 0)
    assert.match(only?.html ?? "", /number 0\n12 more like this$/)
  })
  it("a thousand of everything are a few messages, in which every CRITICAL one is named", () => {
    const many = Array.from({ length: 1_000 }, (_, n) =>
      n % 10 === 0 ? alert("CRITICAL", "position.unprotected", n) : alert("HIGH", `kind.${n % 40}`, n)
    )
    const sent = alertMessages(rules, many)
    assert.isAtMost(sent.length, 6)
    assert.isTrue(sent.every(({ html }) => html.length < 4_096))
    const text = sent.map(({ html }) => html).join("\n")
    for (let n = 0; n < 1_000; n += 10)
      assert.match(text, new RegExp(`position\\.unprotected number ${n}[\\n<]`))
    assert.include(text, "900 alerts")
  })
})

describe("what the settings say of alerts", () => {
  const told = (telegram: object, ...alerts: ReadonlyArray<Partial<SentAlert>>) =>
    alertMessages(
      settingsFrom({ telegram }).telegram,
      alerts.map((given, n) => ({
        id: String(n),
        severity: "HIGH",
        kind: `k.${n}`,
        message: `message ${n}`,
        strategy: null,
        atMs: Date.parse("2026-11-30T12:00:00Z"),
        ...given
      }))
    )
  it("a strategy is on, silent or off before severity and kind, and what is CRITICAL is never off", () => {
    const strategies = { quiet: "off", soft: "silent" }
    const sent = told(
      { strategies },
      { strategy: "quiet" },
      { strategy: "soft" },
      { strategy: "other" },
      { strategy: "quiet", severity: "CRITICAL" }
    )
    assert.deepStrictEqual(
      sent.map(({ alertId, isSilent }) => [alertId, isSilent]),
      [
        ["1", true],
        ["2", false],
        ["3", false]
      ]
    )
  })
  it("what began in quiet hours is one summary, before the others and without what is CRITICAL", () => {
    const quiet = { zone: "America/New_York", from: "22:00", to: "07:00" }
    const night = Date.parse("2026-11-30T08:00:00Z")
    const sent = told({ quiet }, { atMs: night }, {}, { atMs: night }, { atMs: night, severity: "CRITICAL" })
    assert.match(sent[0]?.html ?? "", /2 alerts of the quiet hours/)
    assert.deepStrictEqual(
      sent.map(({ alertId }) => alertId),
      [null, "1", "3"]
    )
  })
  it("quiet hours are one stretch of time on each night, also when clocks change", () => {
    const hours = settingsFrom({
      telegram: { quiet: { zone: "America/New_York", from: "01:30", to: "02:30" } }
    }).telegram.quiet
    const changes = (from: string): ReadonlyArray<string> => {
      const found: Array<string> = []
      let before = false
      for (let ms = Date.parse(from); ms < Date.parse(from) + 86_400_000; ms += 600_000) {
        const now = quietAt(hours, ms).isQuiet
        if (now !== before)
          found.push(`${new Date(ms).toISOString().slice(11, 16)} ${now ? "quiet" : "over"}`)
        before = now
      }
      return found
    }
    assert.deepStrictEqual(changes("2026-01-10T00:00:00Z"), ["06:30 quiet", "07:30 over"])
    // 02:30 does not exist in the night of March 8, and 01:30 is there twice on November 1.
    assert.lengthOf(changes("2026-03-08T00:00:00Z"), 2)
    assert.lengthOf(changes("2026-11-01T00:00:00Z"), 2)
  })
  it("what a quiet weekend kept is not too old when it ends", () => {
    const days = ["sat", "sun"]
    const { quiet } = settingsFrom({ telegram: { quiet: { from: "00:00", to: "00:00", days } } }).telegram
    const hoursBack = (at: string): readonly [boolean, number] => {
      const { ageMsMax, isQuiet } = quietAt(quiet, Date.parse(at))
      return [isQuiet, ageMsMax / 3_600_000]
    }
    assert.deepStrictEqual(hoursBack("2026-11-27T23:59:00Z"), [false, 24])
    assert.deepStrictEqual(hoursBack("2026-11-29T12:00:00Z"), [true, 36])
    assert.deepStrictEqual(hoursBack("2026-11-30T00:00:00Z"), [false, 48])
    assert.deepStrictEqual(hoursBack("2026-12-01T00:00:00Z"), [false, 24])
  })
  it("a message about several strategies has a sound where one of them has", () => {
    const [message] = told(
      { strategies: { soft: "silent" } },
      { kind: "k", strategy: "soft" },
      { kind: "k", strategy: "other" }
    )
    assert.isFalse(message?.isSilent)
  })
  it("links lead to the console where the settings say where it is", () => {
    const [linked] = told({ consoleUrl: "https://desk.example/console/" }, {})
    assert.include(
      linked?.html,
      '<a href="https://desk.example/console/#/alerts?kind=k.0">Open in the console</a>'
    )
    assert.notInclude(told({}, {})[0]?.html, "<a ")
  })
})

describe("a refusal", () => {
  it.each<[string, boolean]>([
    ["Forbidden: bot was kicked from the group chat", true],
    ["Forbidden: user is deactivated", true],
    ["Bad Request: chat not found", true],
    ["Bad Request: group chat was upgraded to a supergroup chat", true],
    ["Bad Request: not enough rights to send text messages to the chat", true],
    ["Bad Request: can't parse entities", false],
    ["too old when it could be sent", false]
  ])("%j says that the chat takes no messages: %s", (reason, is) => {
    assert.strictEqual(isUnreachable(reason), is)
  })
})

describe("the pace", () => {
  let seq = 0n
  const to = (chat: number, method = "sendMessage") => ({ seq: (seq += 1n), chat, method })
  it("keeps one chat to its distance, a group to a longer one, and all of them to the bot's", () => {
    const pace = new TelegramPace()
    pace.note(to(1), 0)
    pace.note(to(-1), 0)
    assert.deepStrictEqual(
      [pace.freeAt(to(1), 0), pace.freeAt(to(-1), 0), pace.freeAt(to(2), 0)],
      [telegramLimits.chatEveryMs, telegramLimits.groupEveryMs, 0]
    )
    for (let chat = 10; chat < 10 + telegramLimits.botPerSecond - 2; chat += 1) pace.note(to(chat), 0)
    assert.strictEqual(pace.freeAt(to(2), 0), 1_000)
    assert.strictEqual(pace.freeAt(to(2), 1_000), 0)
  })
  it("waits as long as Telegram says", () => {
    const pace = new TelegramPace()
    pace.refused(to(1), 30_000, 0)
    assert.deepStrictEqual([pace.freeAt(to(1), 0), pace.freeAt(to(2), 0)], [30_000, 1_000])
  })
  it("an answer to a press that is refused waits alone, and at least a second", () => {
    const pace = new TelegramPace()
    const answer = to(1, PRESS_ANSWER)
    pace.refused(answer, 0, 0)
    assert.strictEqual(pace.freeAt(answer, 0), 1_000)
    pace.refused(answer, 20_000, 0)
    assert.deepStrictEqual(
      [answer, to(1, PRESS_ANSWER), to(1), to(2)].map((call) => pace.freeAt(call, 0)),
      [20_000, 0, 0, 0]
    )
  })
  it("waits longer after each failure of a lane, and no longer once it is over", () => {
    const pace = new TelegramPace()
    const waits = [0, 0, 0, 0, 0, 0].map(() => {
      pace.failed(to(1), 0)
      return pace.freeAt(to(1), 0)
    })
    assert.deepStrictEqual(waits, [1_000, 2_000, 4_000, 8_000, 10_000, 10_000])
    pace.over(to(1))
    pace.failed(to(1), 20_000)
    assert.strictEqual(pace.freeAt(to(1), 20_000), 21_000)
    assert.strictEqual(pace.freeAt(to(2), 0), 0)
  })
  it("pauses everything while the token is refused", () => {
    const pace = new TelegramPace()
    pace.pause(10_000)
    assert.deepStrictEqual([pace.freeAt(to(1), 0), pace.freeAt(to(1, PRESS_ANSWER), 0)], [10_000, 10_000])
  })
})
