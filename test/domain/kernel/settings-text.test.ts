import { assert, describe, it } from "vitest"
import { readSecret } from "../../../src/domain/kernel/settings-text.ts"

const bytes = Buffer.from("0123456789abcdef01234567")
const base64 = bytes.toString("base64")

describe("T3b the forms of a signing secret", () => {
  it.each([
    ["text", "a plain secret", Buffer.from("a plain secret")],
    ["whsec_", `whsec_${base64}`, bytes],
    ["v1,whsec_", `v1,whsec_${base64}`, bytes],
    ["whsec_", `whsec_${bytes.toString("base64url")}`, bytes],
    ["text", "whsec_", Buffer.from("whsec_")],
    ["text", "whsec_not base64!", Buffer.from("whsec_not base64!")]
  ])("%s: %s", (form, secret, key) => {
    assert.strictEqual(readSecret(secret).form, form)
    assert.deepStrictEqual(Buffer.from(readSecret(secret).key), Buffer.from(key))
  })
})
