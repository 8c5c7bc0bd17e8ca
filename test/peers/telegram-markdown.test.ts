/** MarkdownV2 as the Bot API reads it: what is taken, with the text that is left, and what is refused, in its words. */
import { assert, describe, it } from "vitest"
import { plainOfMarkdown } from "../../peers/telegram/markdown.ts"
import { ApiRefusal } from "../../peers/telegram/refusal.ts"
import { Telegram } from "../support/telegram.ts"

const refused = (text: string): string => {
  try {
    return `taken as ${JSON.stringify(plainOfMarkdown(text))}`
  } catch (error) {
    if (error instanceof ApiRefusal)
      return error.description.replace("Bad Request: can't parse entities: ", "")
    throw error
  }
}
const reserved = (character: string): string =>
  `Character '${character}' is reserved and must be escaped with the preceding '\\'`

describe("a character that could be a mark", () => {
  it.each("] ) ( > # + - = | { } . !".split(" "))("[%s] is refused bare, and taken escaped", (one) => {
    assert.strictEqual(refused(`a${one}`), reserved(one))
    assert.strictEqual(plainOfMarkdown(`a\\${one}`), `a${one}`)
  })

  it("every other one of ASCII is taken, bare and escaped", () => {
    const others = Array.from({ length: 126 }, (_, code) => String.fromCodePoint(code)).filter(
      (one) => one !== "\0" && !"_*[]()~`>#+-=|{}.!\\".includes(one)
    )
    assert.isAbove(others.length, 100)
    for (const one of others) {
      assert.strictEqual(plainOfMarkdown(one), one)
      assert.strictEqual(plainOfMarkdown(`\\${one}`), one)
    }
  })

  it("a backslash before what is no ASCII, or the end, stays", () => {
    assert.strictEqual(plainOfMarkdown("\\é \\\\ \\"), "\\é \\ \\")
  })
})

describe("MarkdownV2 that is taken", () => {
  it.each<[string, string]>([
    ["", ""],
    ["*bold* _italic_ __under__ ~gone~ ||hidden||", "bold italic under gone hidden"],
    ["*bold _both ~three~_*", "bold both three"],
    ["_italic __under___", "italic under"],
    ["__under _italic_ __", "under italic "],
    ["`a.b*c` \\`", "a.b*c `"],
    ["`back\\`tick \\\\`", "back`tick \\"],
    ["**____``||||``````", ""],
    ["```plain```", "plain"],
    ["```\nplain```", "plain"],
    ["```js\nif (a > b) {}```", "if (a > b) {}"],
    ["```js\r\n\nx```", "\nx"],
    ["```two words```", " words"],
    ["[SPY](https://x.example/a_b?c=d.e)", "SPY"],
    ["[a\\]b](x\\)y) c", "a]b c"],
    ["[no address]\\.", "no address."],
    ["![👍](tg://emoji?id=5368324170671202286)", "👍"],
    ["![👍](TG://Emoji/?a=1&id=7)", "👍"],
    [">first\n>second\nafter", "first\nsecond\nafter"],
    ["before\n>*bold\n>still*\nafter", "before\nbold\nstill\nafter"],
    [">one\n**>two", "one\ntwo"],
    [">long\n>folded||\nafter", "long\nfolded\nafter"],
    [">long||\r\nafter", "long\r\nafter"],
    [">long||", "long"],
    ["*>within\n*", "within\n"],
    ["`>no quotation\n>`", ">no quotation\n>"]
  ])("[%j] leaves %j", (text, plain) => assert.strictEqual(plainOfMarkdown(text), plain))
})

// Offsets are in bytes: each of these texts begins with nine of them that are five characters of a string.
const nine = "🚀 🚀"

describe("MarkdownV2 that is refused", () => {
  it.each<[string, string]>([
    [`${nine}_a`, "Can't find end of Italic entity at byte offset 9"],
    [`${nine}*a`, "Can't find end of Bold entity at byte offset 9"],
    [`${nine}__a`, "Can't find end of Underline entity at byte offset 9"],
    [`${nine}~a`, "Can't find end of Strikethrough entity at byte offset 9"],
    [`${nine}||a\\||`, reserved("|")],
    [`${nine}||a\\|`, "Can't find end of Spoiler entity at byte offset 9"],
    [`${nine}\`a\\\``, "Can't find end of Code entity at byte offset 9"],
    [`${nine}\`\`\`a`, "Can't find end of Pre entity at byte offset 9"],
    [`${nine}\`\`\`a b`, "Can't find end of PreCode entity at byte offset 9"],
    [`${nine}\`\`\`a b\``, "Can't find end of Code entity at byte offset 15"],
    [`${nine}[a`, "Can't find end of TextUrl entity at byte offset 9"],
    [`${nine}![a`, "Can't find end of CustomEmoji entity at byte offset 9"],
    // The innermost that is open, wherever it began.
    [`${nine}_a * b `, "Can't find end of Bold entity at byte offset 12"],
    [`${nine}_a * b _`, "Can't find end of Italic entity at byte offset 16"],
    [`${nine}__a_`, "Can't find end of Italic entity at byte offset 12"],
    [`${nine}_a__`, "Can't find end of Underline entity at byte offset 11"],
    [`${nine}__a _b___`, "Can't find end of Italic entity at byte offset 17"],
    [`${nine}[a](b`, "Can't find end of a URL at byte offset 13"],
    [`${nine}[a](b\\)`, "Can't find end of a URL at byte offset 13"],
    [`${nine}![a]`, "Custom emoji entity must contain a tg://emoji URL"],
    [`${nine}![a](tg://emoji?id=7`, "Can't find end of a custom emoji URL at byte offset 14"],
    ["![a](https://emoji?id=7)", "Custom emoji URL must have scheme tg"],
    ["![a](tg://emojis?id=7)", 'Custom emoji URL must have host "emoji"'],
    ["![a](tg://emoji?no=7#&id=7)", "Custom emoji URL must have an emoji identifier"],
    ["![a](tg://emoji?id=07)", "Invalid custom emoji identifier specified"],
    ["a>b", reserved(">")],
    [">*a*>b", reserved(">")],
    // What begins in a quotation ends in it.
    [">*a\n>b\nc*", "Can't find end of Bold entity at byte offset 1"],
    [">a||b\nc||", "Can't find end of Spoiler entity at byte offset 2"],
    [">__a||\nb", "Can't find end of Underline entity at byte offset 1"],
    // The price of a share, as somebody writes it who thinks of bold only.
    ["*SPY* 412.5", reserved(".")]
  ])("[%j] %s", (text, words) => assert.strictEqual(refused(text), words))
})

describe("a message in MarkdownV2", () => {
  it("is shown without its marks, edited as strictly, and a refused one is a 400 that changes nothing", async () => {
    const telegram = await Telegram.open({ limits: false })
    try {
      telegram.bot.chats.open(7)
      const call = (method: string, text: string, more: object = {}) =>
        telegram.call(method, { chat_id: 7, text, parse_mode: "MarkdownV2", ...more })
      const { message_id: id } = (await call("sendMessage", "*SPY* 412\\.5")).result as { message_id: number }
      const edit = await call("editMessageText", "*SPY* 412.5", { message_id: id })
      const send = await call("sendMessage", "*SPY")
      assert.deepStrictEqual(
        [edit.error_code, edit.description, send.error_code, send.description],
        [
          400,
          `Bad Request: can't parse entities: ${reserved(".")}`,
          400,
          "Bad Request: can't parse entities: Can't find end of Bold entity at byte offset 0"
        ]
      )
      assert.deepStrictEqual(
        telegram.written(7).map(({ text }) => text),
        ["SPY 412.5"]
      )
    } finally {
      await telegram.dispose()
    }
  })
})
