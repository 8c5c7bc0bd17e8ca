/** The rules of every machine in the catalog, and for each rule a machine that breaks it. */
import { readdirSync } from "node:fs"
import { basename } from "node:path"
import { assert, describe, it } from "vitest"
import { fromPromise, raise, setup } from "xstate"
import { answerOf, effectsOf, eventsOf, waitingStates } from "../../scripts/matrix.ts"
import { catalog } from "../../src/machines/catalog.ts"
import {
  contradictory,
  crashesBySurprise,
  neverTaken,
  type Rest,
  type Rests,
  swallowsErrors,
  unexplained,
  waitsForEver
} from "./machine-rules.ts"

const database: Rest = {
  until: ["database.available"],
  why: "Nothing can be done without the database, and its component tells everybody when it is back; a clock would only ask the same question."
}
const connection: Rest = {
  until: ["socket.ended"],
  why: "A region beside the heartbeat: that has the deadlines of the connection, and ends all regions with it."
}
const venue = (until: string): Rest => ({
  until: [until],
  why: "The order is a row, not a process: the executor that acts on it has the deadlines and asks the venue again."
})
const keeper = (...until: ReadonlyArray<string>): Rest => ({
  until,
  why: "The breaker is a row, not a process: its keeper has the cooldown and the probes, and looks at every row again and again."
})
const readings: Rest = {
  until: ["readings.taken"],
  why: "What the process has left changes by itself; its effect reads it every few seconds, and nothing else can tell."
}
const ended: Rest = { until: [], why: "An end. Words of the venue that come late are still taken." }

/** States that rest by design, by machine. Whoever adds one says for what it waits, and why no clock can help. */
const resting: Readonly<Record<string, Rests>> = {
  account: {
    WaitingForDatabase: database,
    "Owning.Idle": {
      until: ["orders.waiting", "reconcile.wanted"],
      why: "One look each second at all accounts of the process rings for those with something to do."
    },
    "Standby.InLine": {
      until: ["lease.free"],
      why: "The keeper of the node's lease asks for every account in line with each renewal; ten thousand clocks would ask the same question."
    }
  },
  agent: {
    Listening: {
      until: ["agent.hung"],
      why: "A question comes when a signal is decided. Each has a deadline in the agent and one of who asks."
    }
  },
  alerts: { WaitingForDatabase: database },
  breaker: {
    Closed: keeper("breaker.tripped"),
    Open: keeper("breaker.cooled"),
    HalfOpen: keeper("breaker.recovered", "breaker.failed_again")
  },
  breakers: { WaitingForDatabase: database },
  broker: {
    WaitingForDatabase: database,
    "Streaming.Live": {
      until: ["stream.ended"],
      why: "As long as the stream lives; its own effect watches for silence and ends it."
    }
  },
  canary: {
    WaitingForDatabase: database,
    Halted: {
      until: ["trading.active"],
      why: "Trading is restricted until an operator lifts that; its effect looks at the view of this process every second."
    }
  },
  exits: { WaitingForDatabase: database },
  risk: { WaitingForDatabase: database },
  feed: {
    "Session.Live.request.Answered": { ...connection, until: ["signals.ask", "socket.ended"] },
    "Session.Live.storage.Storing": { ...connection, until: ["store.failed", "socket.ended"] },
    "Session.Live.stability.Aged": connection,
    "Session.Live.stability.Proven": connection
  },
  http: {
    "Serving.Listening": {
      until: ["stop.announced", "listener.close"],
      why: "A server serves until it is told to stop; the end of its socket is a failure of `watch`."
    }
  },
  journal: {
    WaitingForDatabase: database,
    Storing: {
      until: ["batch.failed", "journal.stop"],
      why: "Each statement has a deadline of its own, and between two of them its effect looks twice a second."
    }
  },
  node: {
    WaitingForDatabase: database,
    Holding: {
      until: ["lease.lost"],
      why: "As long as the lease is kept; its effect renews it and says when it is lost."
    }
  },
  order: {
    Intended: venue("order.submitted"),
    Held: venue("order.released"),
    Submitting: venue("order.outcome_lost"),
    Acked: venue("order.cancel_requested"),
    PartiallyFilled: venue("order.cancel_requested"),
    PendingCancel: venue("order.outcome_lost"),
    Unknown: venue("order.lookup_started"),
    Resolving: venue("order.outcome_lost"),
    NeedsOperator: {
      until: [
        "order.lookup_started",
        "order.resolved_placed",
        "order.resolved_not_placed",
        "order.resolved_over"
      ],
      why: "A human decides; an alert has told him, and guessing with money is what the state is there to prevent."
    },
    Denied: ended,
    Withdrawn: ended,
    ExpiredUnsent: ended,
    Rejected: ended,
    Filled: ended,
    Cancelled: ended,
    Expired: ended
  },
  "paper-venue": {
    WaitingForDatabase: database,
    "Running.Serving": {
      until: ["database.unavailable"],
      why: "A server serves until its effect ends, and that end is handled by the state around it."
    },
    "Running.DatabaseAway": database
  },
  pipeline: { WaitingForDatabase: database },
  "practice-signals": { WaitingForDatabase: database },
  reconciler: { WaitingForDatabase: database },
  "refused-posts": {
    WaitingForDatabase: database,
    Storing: {
      until: ["batch.failed", "refused_posts.stop"],
      why: "Each statement has a deadline of its own, and between two of them nothing waits to be stored."
    }
  },
  spool: {
    Idle: {
      until: ["database.unavailable", "spool.changed"],
      why: "Nothing is spooled, and the database takes posts itself."
    },
    Spooling: {
      until: ["database.available", "spool.changed"],
      why: "As long as the database is away; its effect proves the disk every few seconds meanwhile."
    },
    Draining: {
      until: ["database.unavailable"],
      why: "Each statement and each file has a deadline of its own; how many there are is what an outage has left."
    },
    Full: {
      until: ["database.available", "spool.changed"],
      why: "Its effect looks every second whether there is room again."
    },
    Failed: {
      until: ["database.available", "spool.changed"],
      why: "Its effect tries the disk every second."
    }
  },
  "expected-signals": { WaitingForDatabase: database },
  resources: { Normal: readings, Shedding: readings, Critical: readings },
  retention: { WaitingForDatabase: database },
  sink: { WaitingForDatabase: database },
  telegram: { WaitingForDatabase: database },
  "trading-state": { WaitingForDatabase: database },
  voter: {
    Closed: {
      until: ["voter.failed"],
      why: "A question comes when a signal is decided. Each has a deadline in its exchange and one of who asks."
    },
    Probing: {
      until: ["voter.answered", "voter.failed"],
      why: "The next question tries it, and comes when a signal is decided."
    }
  },
  waves: { WaitingForDatabase: database }
}

/**
 * Effects whose failure no state handles, by machine. They run for as long as their state and tell by events what
 * happens, or they are the first thing a component needs; a failure of one is nothing a state could answer to, so it
 * ends the component, and the supervisor restarts, parks or escalates by the class of the failure.
 */
const crashesOnPurpose: Readonly<Record<string, ReadonlyArray<string>>> = {
  // A defect of an agent is its supervisor's: it is restarted, and parked when that does not help.
  agent: ["answer"],
  account: ["waitInLine", "watchLease", "watchBells", "resolveUnknown", "sendReduces"],
  alerts: ["watchQueue"],
  breakers: ["watchBells", "probe"],
  broker: ["stream", "venueBell"],
  canary: ["watchTrading"],
  database: ["holdDataDir", "watchAvailability"],
  exits: ["watchPositions", "watchTicks"],
  feed: ["session", "storing", "plan"],
  http: ["bind", "watch"],
  journal: ["storeEntries"],
  node: ["keepLife", "standBy"],
  pipeline: ["waitForSignals"],
  reconciler: ["openResting"],
  "refused-posts": ["storePosts"],
  resources: ["watch"],
  risk: ["watchBells", "askBalances"],
  sink: ["watchOutbox", "measure"],
  spool: ["write", "prove"],
  telegram: ["handling", "sending", "notifying", "measuring"],
  "trading-state": ["watchChanges"],
  voter: ["ask"],
  waves: ["pause"]
}

describe("the catalog", () => {
  it("lists every machine file once, by its stem", () => {
    const files = readdirSync(new URL("../../src/machines/", import.meta.url), {
      recursive: true,
      encoding: "utf8"
    })
      .filter((file) => file.endsWith(".machine.ts"))
      .map((file) => basename(file, ".machine.ts"))
    assert.deepStrictEqual(catalog.map(({ name }) => name).toSorted(), files.toSorted())
  })
  it("is what the exceptions are from", () => {
    const names = new Set(catalog.map(({ name }) => name))
    const strangers = [...Object.keys(resting), ...Object.keys(crashesOnPurpose)].filter(
      (name) => !names.has(name)
    )
    assert.deepStrictEqual(strangers, [])
  })
})

describe.each(catalog.map((entry) => [entry.name, entry.machine] as const))(
  "the machine %s",
  (name, machine) => {
    it("has more than one state", () => {
      assert.isAbove(Object.keys(machine.states).length, 1)
    })
    it("says of every state what it means", () => {
      assert.deepStrictEqual(unexplained(machine), [])
    })
    it("waits nowhere forever, save where it rests by design until a named event", () => {
      assert.deepStrictEqual(waitsForEver(machine, resting[name]), [])
    })
    // A wildcard takes XState's error events as well, so the failure of an effect would vanish in it.
    it("swallows no failure with a wildcard, at the top or in a state", () => {
      assert.deepStrictEqual(swallowsErrors(machine), [])
    })
    it("handles the failure of every effect, or crashes with it on purpose", () => {
      const onPurpose = ["watchDatabase", ...(crashesOnPurpose[name] ?? [])]
      assert.deepStrictEqual(crashesBySurprise(machine, onPurpose), [])
    })
    it("takes every event it names in some state", () => {
      assert.deepStrictEqual(neverTaken(machine), [])
    })
    it("marks no state as ready and as failing", () => {
      assert.deepStrictEqual(contradictory(machine), [])
    })
  }
)

describe("the rules find in a bad machine", () => {
  const { createMachine } = setup({
    guards: { maybe: () => true },
    actors: { work: fromPromise(async () => {}) },
    actions: {
      note: () => {},
      giveUp: () => {
        throw new Error("given up")
      }
    },
    types: { tags: {} as "resting" | "stopped" | "ready" | "failed" | "backingOff" }
  })
  const outside: Rest = { until: ["news"], why: "for the test" }

  it.for([
    ["nothing but events", { on: { news: "Out" } }, ["A waits forever"]],
    ["a guard that may say no", { always: { guard: "maybe", target: "Out" } }, ["A waits forever"]],
    ["a deadline that leads nowhere", { after: { 10: { actions: "note" } } }, ["A waits forever"]],
    ["a deadline that may say no", { after: { 10: { guard: "maybe", target: "Out" } } }, ["A waits forever"]],
    [
      "a deadline whose first way leads nowhere",
      { after: { 10: [{ guard: "maybe", actions: "note" }, { target: "Out" }] } },
      ["A waits forever"]
    ],
    ["a deadline that leads to itself and is not set again", { after: { 10: "A" } }, ["A waits forever"]],
    ["an effect without a deadline", { invoke: { src: "work", onDone: "Out" } }, ["A waits forever"]],
    ["the tag resting, and nobody says why", { tags: "resting" }, ["A waits forever"]],
    ["the tag failed, and an entry that goes on", { tags: "failed", entry: "note" }, ["A waits forever"]],
    [
      "a child, when the deadline around it leads to a child",
      { initial: "B", after: { 10: ".C" }, states: { B: {}, C: {} } },
      ["A.B waits forever", "A.C waits forever"]
    ]
  ] as const)("a state that waits forever: %s", ([, state, expected]) => {
    const machine = createMachine({ initial: "A", states: { A: state, Out: { type: "final" } } })
    assert.deepStrictEqual(waitsForEver(machine), expected)
  })

  it.for([
    ["an unguarded way out", { always: [{ guard: "maybe", target: "Out" }, { target: "Out" }] }],
    ["a deadline", { after: { 10: "Out" } }],
    [
      "a deadline that may be set again first",
      { after: { 10: [{ guard: "maybe", target: "A", reenter: true }, { target: "Out" }] } }
    ],
    [
      "a deadline that raises what ends it",
      { on: { late: "Out" }, after: { 10: { actions: raise({ type: "late" }) } } }
    ],
    ["a deadline around it", { initial: "B", after: { 10: "Out" }, states: { B: {} } }],
    ["an entry that crashes", { tags: "failed", entry: "giveUp" }]
  ] as const)("nothing wrong with a state that has %s", ([, state]) => {
    const machine = createMachine({ initial: "A", states: { A: state, Out: { type: "final" } } })
    assert.deepStrictEqual(waitsForEver(machine), [])
  })

  it.for([
    [
      "has a deadline",
      { tags: "resting", on: { news: "Out" }, after: { 10: "Out" } },
      outside,
      "rests although it has a deadline"
    ],
    ["has no tag", { on: { news: "Out" } }, outside, "rests without the tag resting"],
    ["is not left by its event", { tags: "resting", on: { news: {} } }, outside, "is not left by news"],
    ["names no event", { tags: "resting" }, { ...outside, until: [] }, "is left by no event"],
    ["rests until its event", { tags: "resting", on: { news: "Out" } }, outside, undefined],
    ["is an end", { tags: ["resting", "stopped"] }, { ...outside, until: [] }, undefined]
  ] as const)("what is wrong with a state that rests: %s", ([, state, rest, fault]) => {
    const machine = createMachine({ initial: "A", states: { A: state, Out: { type: "final" } } })
    assert.deepStrictEqual(waitsForEver(machine, { A: rest }), fault === undefined ? [] : [`A ${fault}`])
    assert.include(waitsForEver(machine, { A: rest, Gone: rest }), "Gone is no waiting state")
  })

  it.for(["*", "xstate.*", "xstate.error.*", "xstate.error.actor.*", "xstate.error.actor.work.*"])(
    "a wildcard that takes failures: %s",
    (key) => {
      const machine = createMachine({
        on: { [key]: {} },
        initial: "A",
        states: { A: { on: { [key]: { actions: "note" } } } }
      })
      assert.deepStrictEqual(swallowsErrors(machine), [`everywhere takes ${key}`, `A takes ${key}`])
    }
  )
  it("nothing wrong with a wildcard for events of our own", () => {
    assert.deepStrictEqual(swallowsErrors(createMachine({ on: { "order.*": {}, "xstate.done.*": {} } })), [])
  })

  it("an effect whose failure nobody handles", () => {
    const machine = createMachine({
      initial: "A",
      states: { A: { invoke: { src: "work", onDone: "B" } }, B: { invoke: { src: "work", onError: "A" } } }
    })
    assert.deepStrictEqual(crashesBySurprise(machine), ["work in A"])
    assert.deepStrictEqual(crashesBySurprise(machine, ["work"]), [])
  })
  it("a state that does not say what it means", () => {
    const machine = createMachine({
      initial: "A",
      states: { A: { description: "Says what it means." }, B: { description: "B" }, C: {} }
    })
    assert.deepStrictEqual(unexplained(machine), ["B", "C"])
  })
  it("an event that nothing takes", () => {
    const machine = createMachine({
      initial: "A",
      states: { A: { on: { news: "Out" } }, Out: { type: "final", on: { late: {} } } }
    })
    assert.deepStrictEqual(neverTaken(machine), ["late"])
  })
  it("a state that is ready and failing", () => {
    const machine = createMachine({
      initial: "A",
      states: { A: { tags: ["ready", "backingOff"] }, B: { tags: ["ready", "failed"] }, C: { tags: "ready" } }
    })
    assert.deepStrictEqual(contradictory(machine), ["A", "B"])
  })
})

describe("the matrix of states and events", () => {
  const machine = setup({
    guards: { sure: () => true },
    actors: { work: fromPromise(async () => {}) }
  }).createMachine({
    on: { everywhere: { actions: () => {} }, calm: {} },
    initial: "Shut",
    states: {
      Shut: {
        meta: { postpone: ["job"] },
        invoke: { id: "dies", src: "work" },
        on: { open: { target: "Open", guard: "sure" }, calm: "Open" }
      },
      Open: {
        type: "parallel",
        states: { left: { on: { job: {} } }, right: { invoke: { src: "work", onError: "#over" } } }
      },
      Over: { id: "over", type: "final" }
    }
  })
  it("tells handled, guarded, ignored, postponed, elsewhere and fault apart", () => {
    const answers = waitingStates(machine).map((node) => [
      node.key,
      ...eventsOf(machine).map((event) => `${event}: ${answerOf(node, event)}`)
    ])
    assert.deepStrictEqual(answers, [
      ["Shut", "calm: handled", "everywhere: handled", "job: postponed", "open: guarded"],
      ["left", "calm: ignored", "everywhere: handled", "job: ignored", "open: fault"],
      ["right", "calm: ignored", "everywhere: handled", "job: elsewhere", "open: fault"]
    ])
  })
  it("tells which failed effect crashes", () => {
    assert.deepStrictEqual(
      effectsOf(machine).map(({ failure, state }) => `${state}: ${failure}`),
      ["Shut: crashes", "Open.right: handled"]
    )
  })
})
