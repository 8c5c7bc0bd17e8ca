import { readdirSync, readFileSync } from "node:fs"
import path from "node:path"
import { assert, it } from "vitest"
import { orderEvent } from "../../../src/wire/trading.ts"

const folder = path.join(import.meta.dirname, "../../../src/layers/orders")
const rows = {
  from_status: "intended",
  to_status: "intended",
  legal: true,
  detail: {},
  at: "2026-11-30T09:00:00.000Z"
}

it("every event that our SQL names is one that the page of an order can show", () => {
  const sources = readdirSync(folder).filter((file) => file.includes(".pg"))
  const named = sources.flatMap((file) => [
    ...readFileSync(path.join(folder, file), "utf8").matchAll(/'((?:order|fill)\.[a-z_]+)'/g)
  ])
  for (const event of new Set([...named.map(([, event]) => event), "order.intended"]))
    assert.isTrue(orderEvent.safeParse({ ...rows, event }).success, `${event} is refused`)
})
