import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { replayIncident } from "../../support/wave-incident.ts"

const expected = {
  checked: ["22:45 done 291", "23:00 expected 0"],
  ledger: [
    "22:45 done 291",
    "23:00 done 5",
    "23:15 missed 0 feed_down",
    "23:30 done 3",
    "23:45 done 4 late",
    "00:00 done 6",
    "00:15 missed 2 process_down",
    "00:30 missed 0 process_down",
    "00:45 missed 0 process_down",
    "01:00 done 2 late",
    "01:15 expected 0"
  ],
  handedOver: {
    "22:45 x1": 291,
    "23:00 x1": 5,
    "23:30 x1": 3,
    "23:45 x1": 4,
    "00:00 x1": 6,
    "00:15 x0": 2,
    "01:00 x1": 2
  },
  alerts: [
    "north: 1 wave missed (23:15Z, feed_down): 900 s without trading",
    "north: 3 waves missed (00:15Z to 00:45Z, process_down): 2700 s without trading"
  ]
}

describe("the incident", () => {
  it.effect("replayed with its real times leaves every wave processed or accounted for", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* replayIncident, expected)
    })
  )

  it.live("has the same result wherever the process lives [Asia/Dubai, America/New_York, Pacific/Apia]", () =>
    Effect.promise(async () => {
      const program = fileURLToPath(new URL("../../support/wave-incident-process.ts", import.meta.url))
      const runs = ["Asia/Dubai", "America/New_York", "Pacific/Apia"].map(async (zone) => {
        const { stdout } = await promisify(execFile)(process.execPath, [program], {
          env: { ...process.env, TZ: zone }
        })
        return JSON.parse(stdout) as unknown
      })
      assert.deepStrictEqual(await Promise.all(runs), [
        { offset: -240, result: expected },
        { offset: 240, result: expected },
        { offset: -780, result: expected }
      ])
    })
  )
})
