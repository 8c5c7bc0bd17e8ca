/** What is kept of the text of a refused post. */
import { assert, describe, it } from "vitest"
import { keptText } from "../../../src/domain/intake/refused-post.ts"
import { bodyHash } from "../../../src/domain/kernel/canonical-json.ts"
import { refusedLimits } from "../../../src/domain/kernel/limits-kept.ts"
import { makeMask } from "../../../src/domain/kernel/redaction.ts"

const mask = makeMask(["the one that was agreed on"])
const kept = (text: string, json?: Record<string, string>) => keptText(Buffer.from(text), json, mask)

describe("[T12] the kept text of a refused post", () => {
  it.each([
    ['{"secret":"abc", "price":NaN}', '{"secret":"[redacted]", "price":NaN}'],
    ['{"secret" : "a\\"b,c" ,', '{"secret" : "[redacted]" ,'],
    ["{'secret':'abc'}", "{'secret':\"[redacted]\"}"],
    ["{secret: abc, x: 1}", '{secret: "[redacted]", x: 1}'],
    ['{"secret":"cut off in the mid', '{"secret":"[redacted]"'],
    [
      String.raw`{"s":"a","sec\u0072\u0065t":"abc","n":"\u00e4\u000a",`,
      String.raw`{"s":"a","secret":"[redacted]","n":"\u00e4\u000a",`
    ],
    ["secret=abc&x=1", 'secret="[redacted]"&x=1'],
    ["buy SPY the one that was agreed on now", "buy SPY [redacted] now"],
    ['{"note":"no secrets here"', '{"note":"no secrets here"'],
    ["a\0b", "a\uFFFDb"]
  ])("%j has no secret", (text, shown) => {
    assert.strictEqual(kept(text).body, shown)
    assert.isNull(kept(text).hash)
  })

  it("is JSON without the secret where it was JSON, and its hash is that of what was sent", () => {
    const json = { symbol: "SPY", secret: "abc", note: "the one that was agreed on" }
    const text = kept(JSON.stringify(json), json)
    assert.strictEqual(text.body, '{"symbol":"SPY","note":"[redacted]"}')
    assert.strictEqual(text.hash, bodyHash(json))
    assert.isFalse(text.cut)
  })

  it("ends at the bound, between two characters, and hides a secret that the bound would halve", () => {
    const long = kept("é".repeat(refusedLimits.bodyBytesMax))
    assert.isTrue(long.cut)
    assert.strictEqual(long.bytes, 2 * refusedLimits.bodyBytesMax)
    assert.strictEqual(long.body, "é".repeat(refusedLimits.bodyBytesMax / 2))
    const odd = kept(`x${"é".repeat(refusedLimits.bodyBytesMax)}`)
    assert.strictEqual(Buffer.byteLength(odd.body), refusedLimits.bodyBytesMax - 1)
    assert.notInclude(odd.body, "\uFFFD")
    const halved = kept(`${"x".repeat(refusedLimits.bodyBytesMax - 8)}the one that was agreed on`)
    assert.notInclude(halved.body, "the one")
  })
})
