import { assert, describe, it } from "vitest"
import {
  COMMAND_NAMES,
  COMMANDS,
  mayGive,
  PERMISSIONS,
  scopeOf
} from "../../../src/domain/control/commands.ts"
import { commandEndpoints } from "../../../src/wire/commands.ts"
import { endpoints } from "../../../src/wire/endpoints.ts"

describe("the list of commands", () => {
  it("has every POST of the API that changes something, and nothing else", () => {
    const posts = endpoints.filter(
      // A session changes nothing but who asks, a sender's log and a file's text are only compared, and what is decided again
      // changes nothing.
      ({ method, path, tag }) =>
        method === "POST" &&
        path.startsWith("/api/v1/") &&
        tag !== "session" &&
        !["/api/v1/alert-log", "/api/v1/replay", "/api/v1/settings/preview"].includes(path)
    )
    assert.sameMembers(
      posts.map(({ path }) => path),
      Object.values(commandEndpoints).map(({ path }) => path)
    )
    assert.sameMembers(Object.keys(commandEndpoints), [...COMMAND_NAMES])
    assert.lengthOf(new Set(posts.map(({ path }) => path)), COMMAND_NAMES.length)
  })

  it.each(COMMAND_NAMES)("names target and consequence before it is carried out [%s]", (name) => {
    const text = COMMANDS[name].confirmation("THIS ONE")
    assert.include(text, "THIS ONE")
    assert.match(text, /\?/)
  })

  it("is for operators, and for nobody who only may look", () => {
    for (const name of COMMAND_NAMES)
      assert.deepStrictEqual(
        PERMISSIONS.map((held) => mayGive(held, name)),
        [false, true],
        name
      )
  })

  it("names a target by its kind, except where it names itself", () => {
    assert.strictEqual(scopeOf("order.cancel", "7"), "order:7")
    assert.strictEqual(scopeOf("component.pause", "root/http"), "component:root/http")
    assert.strictEqual(scopeOf("account.flatten", "paper-1"), "account:paper-1")
    assert.strictEqual(scopeOf("trading_state.set", "account:paper-1"), "account:paper-1")
    assert.strictEqual(scopeOf("trading_state.set", "global"), "global")
  })
})
