/**
 * Feed machine: one connection to a signal server, kept alive forever.
 *
 * The incident behind it: the server closed with 1000, the client's loop ended without an error, and three hours of
 * waves were missed. Here every end of a connection is an event with kind, code and reason, and only a stop that we
 * requested is not followed by another attempt. Four watches run in parallel while it is live, because a socket can be dead
 * in four ways that no close event reports: TCP, the peer's program, our request, our own database.
 *
 * Promises: unlimited attempts with full jitter; the backoff starts small again only after `goodAfterMs` connected and
 * one valid message; a refused credential is retried slowly and raised HIGH; a new connection requests the signals
 * at once, and so does the database's return; the last end is visible until the next.
 * Never: reads a socket or a clock; gives up; ends a connection because our own database is slow (`paused`).
 * States: Session {Connecting -> Authenticating -> Live {heartbeat + liveness + request + storage
 * + stability}} -> BackingOff {Planning -> Waiting} | CredentialRefused -> Session; Stopped.
 */
import { assign, raise, type SnapshotFrom } from "xstate"
import {
  ceilingOf,
  credentialRefused,
  feedSetup,
  givenUp,
  live,
  noAnswer,
  silent,
  socketEnded,
  sendCommand,
  waiting
} from "./feed-setup.ts"

export const feedMachine = feedSetup.createMachine({
  id: "feed",
  context: ({ input }) => ({
    ...input,
    attempt: 0,
    connects: 0,
    connectedAt: [],
    flapping: false,
    connectedSince: null,
    delayMs: 0,
    nextAt: null,
    lastEnd: null,
    heard: false,
    paused: false,
    pongs: { frame: false, message: false },
    databaseAway: true,
    lastError: null
  }),
  invoke: [
    { src: "watchDatabase", input: {} },
    { src: "storing", input: {} }
  ],
  on: {
    "feed.stop": ".Stopped",
    "database.available": { actions: assign({ databaseAway: false }) },
    "database.unavailable": { actions: assign({ databaseAway: true }) },
    // A session that was left reports its end late, and an answer may come before or after its state; ignored on purpose.
    "socket.opened": {},
    "auth.accepted": {},
    "auth.refused": {},
    "socket.ended": {},
    "pong.framed": {},
    "pong.received": {},
    "stats.received": {},
    "signals.received": {},
    "message.received": {},
    "reading.paused": {},
    "reading.resumed": {},
    "store.failed": {},
    "signals.ask": {}
  },
  initial: "Session",
  states: {
    Session: {
      description: "There is a connection, or one is being made; it has one owner, which is this state.",
      invoke: { src: "session", id: "session", input: {} },
      entry: assign({ nextAt: null, heard: false, paused: false, connectedSince: null }),
      on: {
        "socket.ended": [
          { guard: "isCredential", target: "CredentialRefused", actions: credentialRefused },
          { target: "BackingOff", actions: socketEnded }
        ],
        "auth.refused": { target: "CredentialRefused", actions: credentialRefused },
        "feed.reconnect": { target: "Session", reenter: true, actions: givenUp },
        "message.received": { actions: assign({ heard: true }) },
        "reading.paused": { actions: assign({ paused: true }) },
        "reading.resumed": { actions: assign({ paused: false }) }
      },
      initial: "Connecting",
      states: {
        Connecting: {
          description: "Name, TCP, TLS and the WebSocket handshake, under one deadline.",
          tags: ["starting", "degraded"],
          on: { "socket.opened": "Authenticating" },
          after: {
            connectDeadline: {
              target: "#feed.BackingOff",
              actions: noAnswer((context) => silent("no_handshake", "no handshake", context.connectMsMax))
            }
          }
        },
        Authenticating: {
          description: "The token is sent; the server's verdict is pending.",
          tags: ["starting", "degraded"],
          entry: sendCommand({ type: "send.auth" }),
          on: { "auth.accepted": { target: "Live", actions: live } },
          after: {
            authDeadline: {
              target: "#feed.BackingOff",
              actions: noAnswer((context) => silent("no_auth", "no answer to auth", context.authMsMax))
            }
          }
        },
        Live: {
          description: "Signals arrive as they happen and are stored; five watches run in parallel.",
          type: "parallel",
          states: {
            heartbeat: {
              description: "Whether the peer's TCP stack and its program answer at all.",
              initial: "Beating",
              states: {
                Beating: {
                  description: "The last ping was answered; the next is scheduled.",
                  after: { nextPing: "AwaitingPong" }
                },
                AwaitingPong: {
                  description: "A ping frame and a ping message are out; both answers are pending.",
                  entry: [
                    assign({ pongs: { frame: false, message: false } }),
                    sendCommand({ type: "send.pings" })
                  ],
                  always: { guard: "hasBothPongs", target: "Beating" },
                  on: {
                    "pong.framed": {
                      actions: assign({ pongs: ({ context }) => ({ ...context.pongs, frame: true }) })
                    },
                    "pong.received": {
                      actions: assign({ pongs: ({ context }) => ({ ...context.pongs, message: true }) })
                    }
                  },
                  after: {
                    pongDeadline: [
                      { guard: "isPaused", target: "AwaitingPong", reenter: true },
                      {
                        target: "#feed.BackingOff",
                        actions: noAnswer((context) =>
                          silent(
                            "no_pong",
                            context.pongs.frame ? "no answer to ping" : "no pong frame",
                            context.pongMsMax
                          )
                        )
                      }
                    ]
                  }
                }
              }
            },
            liveness: {
              description: "Whether the feed behind the socket is alive; only application messages prove it.",
              initial: "Listening",
              states: {
                Listening: {
                  description: "The last get_stats was answered; the next is scheduled.",
                  after: { nextStats: "AwaitingStats" }
                },
                AwaitingStats: {
                  description: "get_stats is out; its answer is pending.",
                  entry: sendCommand({ type: "send.get_stats" }),
                  on: { "stats.received": "Listening" },
                  after: {
                    answerDeadline: [
                      { guard: "isPaused", target: "AwaitingStats", reenter: true },
                      {
                        target: "#feed.BackingOff",
                        actions: noAnswer((context) =>
                          silent("no_stats", "no answer to get_stats", context.answerMsMax)
                        )
                      }
                    ]
                  }
                }
              }
            },
            request: {
              description:
                "What we requested: a new connection asks at once, the wave scheduler when a wave is due.",
              initial: "AwaitingSignals",
              states: {
                AwaitingSignals: {
                  description: "get_signals is out; its answer is pending.",
                  entry: sendCommand({ type: "send.get_signals" }),
                  on: { "signals.received": "Answered", "signals.ask": {} },
                  after: {
                    answerDeadline: [
                      { guard: "isPaused", target: "AwaitingSignals", reenter: true },
                      {
                        target: "#feed.BackingOff",
                        actions: noAnswer((context) =>
                          silent("no_signals", "no answer to get_signals", context.answerMsMax)
                        )
                      }
                    ]
                  }
                },
                Answered: {
                  description: "No answer is pending; the next request comes from outside.",
                  tags: "resting",
                  on: { "signals.ask": "AwaitingSignals" }
                }
              }
            },
            storage: {
              description: "Whether what arrives can be stored; what cannot is requested again.",
              initial: "Storing",
              states: {
                Storing: {
                  description: "Each signal is stored as it arrives.",
                  tags: ["ready", "resting"],
                  always: { guard: "isDatabaseAway", target: "WaitingForDatabase" },
                  on: {
                    "store.failed": {
                      target: "WaitingForDatabase",
                      actions: assign({ lastError: ({ event }) => event.reason })
                    }
                  }
                },
                WaitingForDatabase: {
                  description:
                    "The connection is kept, signals wait up to a bound; what did not fit is requested when the database is back.",
                  tags: "degraded",
                  on: {
                    "database.available": { target: "Restored", actions: assign({ databaseAway: false }) }
                  },
                  after: {
                    // A slow statement, or a wait for a connection, does not mark the database away: retry soon.
                    storeRetry: {
                      guard: "isDatabaseThere",
                      target: "Storing",
                      actions: assign({ lastError: null })
                    },
                    databaseDeadline: { target: "WaitingForDatabase", reenter: true }
                  }
                },
                Restored: {
                  description:
                    "The database is back; what may have been discarded is requested before anything else.",
                  entry: raise({ type: "signals.ask" }),
                  always: { target: "Storing", actions: assign({ lastError: null }) }
                }
              }
            },
            stability: {
              description: "Whether this connection has proved good, so that the next backoff starts small.",
              initial: "Young",
              states: {
                Young: {
                  description: "Connected for less than `goodAfterMs`.",
                  after: { good: "Aged" }
                },
                Aged: {
                  description: "Connected long enough; one valid message is still missing.",
                  tags: "resting",
                  always: { guard: "hasReceived", target: "Proven" }
                },
                Proven: {
                  description: "A good connection: the attempts are counted from zero again.",
                  tags: "resting",
                  entry: assign({ attempt: 0, flapping: false })
                }
              }
            }
          }
        }
      }
    },
    BackingOff: {
      description: "The connection ended; its end is kept, and the next attempt is scheduled.",
      tags: ["degraded", "backingOff"],
      on: { "feed.reconnect": "Session" },
      initial: "Planning",
      states: {
        Planning: {
          description: "Draws the delay below its ceiling.",
          invoke: {
            src: "plan",
            input: {},
            onDone: {
              target: "Waiting",
              actions: assign(({ context, event: { output } }) => {
                const delayMs = Math.floor(output.jitter * ceilingOf(context))
                return { delayMs, nextAt: output.at + delayMs }
              })
            }
          },
          after: {
            // Without a random draw the whole delay is spread enough.
            planDeadline: {
              target: "Waiting",
              actions: assign(({ context }) => ({ delayMs: ceilingOf(context), nextAt: null }))
            }
          }
        },
        Waiting: {
          description: "Waits for the drawn delay; never forever, and never in step with other clients.",
          entry: waiting,
          after: { retry: "#feed.Session" }
        }
      }
    },
    CredentialRefused: {
      description: "The server rejects our token; a human must act, and we retry once a minute.",
      tags: ["degraded", "backingOff"],
      on: { "feed.reconnect": "Session" },
      after: { credentialRetry: "Session" }
    },
    Stopped: { description: "We requested the end.", tags: "stopped", type: "final" }
  }
})

export type FeedSnapshot = SnapshotFrom<typeof feedMachine>
