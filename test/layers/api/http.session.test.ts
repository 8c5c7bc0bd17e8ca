import { assert, describe, it } from "vitest"
import { sessionLimits } from "../../../src/layers/platform/http-limits.ts"
import {
  cookieMark,
  makeSessions,
  sessionCookie,
  sessionNameIn
} from "../../../src/layers/api/http.session.ts"
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
  it("is found among others, by the installation of the service, whatever its port", () => {
    const [one, other] = [cookieMark("node-a"), cookieMark("node-b")]
    const cookie = sessionCookie(one, "abc", false).split(";")[0] ?? ""
    assert.notInclude(cookie, "node-a")
    assert.strictEqual(sessionNameIn(`a=b; ${cookie}; c=d`, one), "abc")
    assert.isNull(sessionNameIn(cookie, other))
    assert.isNull(sessionNameIn(`holdfast_session_${one}=`, one))
    assert.isNull(sessionNameIn(undefined, one))
  })
})
