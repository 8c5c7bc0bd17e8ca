import { assert, describe, it } from "vitest"
import { sessionLimits } from "../../../src/layers/platform/http-limits.ts"
import { makeSessions, sessionCookie, sessionNameIn } from "../../../src/layers/api/http.session.ts"
import { nodeEntropy } from "../../../src/layers/platform/entropy.node.ts"

describe("sessions", () => {
  it("end by themselves", () => {
    const sessions = makeSessions(nodeEntropy)
    const { expiresAtMs, name } = sessions.open(1_000)
    assert.strictEqual(expiresAtMs, 1_000 + sessionLimits.lifeMs)
    assert.isNotNull(sessions.find(name, expiresAtMs - 1))
    assert.isNull(sessions.find(name, expiresAtMs))
  })

  it("are bounded: the oldest makes room", () => {
    const sessions = makeSessions(nodeEntropy)
    const names = Array.from({ length: sessionLimits.sessionsMax + 2 }, (_, at) => sessions.open(at).name)
    const alive = names.map((name) => sessions.find(name, 100) !== null)
    assert.deepStrictEqual(alive.slice(0, 3), [false, false, true])
    assert.strictEqual(alive.filter(Boolean).length, sessionLimits.sessionsMax)
  })

  it("do not share names or CSRF tokens", () => {
    const sessions = makeSessions(nodeEntropy)
    const all = [sessions.open(0), sessions.open(0)].flatMap(({ csrfToken, name }) => [csrfToken, name])
    assert.strictEqual(new Set(all).size, 4)
  })
})

describe("the cookie", () => {
  it("is found among others, by the port of the service", () => {
    const cookie = sessionCookie(5003, "abc", false).split(";")[0] ?? ""
    assert.strictEqual(sessionNameIn(`a=b; ${cookie}; c=d`, 5003), "abc")
    assert.isNull(sessionNameIn(cookie, 5004))
    assert.isNull(sessionNameIn("holdfast_session_5003=", 5003))
    assert.isNull(sessionNameIn(undefined, 5003))
  })
})
