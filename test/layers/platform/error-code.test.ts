import { expect, test } from "vitest"
import { errorCodeOf } from "../../../src/layers/platform/error-code.ts"

test.each([
  ["a system error", Object.assign(new Error("gone"), { code: "ENOENT" }), "ENOENT"],
  ["a plain object", { code: "EPIPE" }, "EPIPE"],
  ["a code that is a number", { code: 5 }, undefined],
  ["an error without a code", new Error("plain"), undefined],
  ["null", null, undefined],
  ["undefined", undefined, undefined],
  ["a string", "ENOENT", undefined]
])("the code of [%s] is told", (_, caught, code) => {
  expect(errorCodeOf(caught)).toBe(code)
})
