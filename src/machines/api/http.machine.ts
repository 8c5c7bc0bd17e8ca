/**
 * HTTP machine: one listening socket from its binding to its end.
 *
 * It exists so that "is the port open" is a state that can be read, not something learned by connecting. The
 * socket is bound first and closed last (T8): while the process stops it still answers health and refuses posts.
 *
 * Promises: `Listening` and `Draining` mean that the socket accepts connections; a socket that dies in either of them
 * ends the machine with its cause, so that the supervisor binds again.
 * Never: retries a bind by itself (the restart policy of the supervisor does), or decides the response to a request.
 * States: Binding -> Listening -> Draining -> Closing -> Stopped; Listening -> Closing when it is stopped alone.
 */
import { assign, setup } from "xstate"
import { slot, streamSlot } from "../slot.ts"

export interface HttpInput {
  /** Milliseconds for binding; the effect has the same deadline and names the cause, this is the net under it. */
  readonly bindDeadlineMs: number
  /** Milliseconds the announced stop may take before the socket is closed without being asked. */
  readonly drainDeadlineMs: number
  /** Milliseconds for the last answers once the socket is asked to close. */
  readonly closeDeadlineMs: number
}

export interface HttpContext extends HttpInput {
  readonly host: string | null
  readonly port: number | null
  /** Answers that were still finished, and connections that were cut, when the socket closed. */
  readonly finished: number
  readonly cut: number
  readonly lastError: string | null
}

export type HttpEvent = { readonly type: "stop.announced" } | { readonly type: "listener.close" }

/** The binding took longer than its deadline, and the effect that should have reported it did not. */
export class BindTimedOut extends Error {
  override readonly name = "BindTimedOut"
  readonly _tag = "BindTimedOut"
}

export const httpMachine = setup({
  types: {
    context: {} as HttpContext,
    events: {} as HttpEvent,
    input: {} as HttpInput,
    tags: {} as "starting" | "ready" | "draining" | "stopped" | "failed" | "resting"
  },
  actors: {
    bind: slot<Record<string, never>, { readonly host: string; readonly port: number }>(),
    watch: streamSlot<Record<string, never>>(),
    close: slot<Record<string, never>, { readonly finished: number; readonly cut: number }>()
  },
  actions: {
    giveUpBinding: () => {
      throw new BindTimedOut("the listener did not bind in time")
    }
  },
  delays: {
    bindDeadline: ({ context }) => context.bindDeadlineMs,
    drainDeadline: ({ context }) => context.drainDeadlineMs,
    closeDeadline: ({ context }) => context.closeDeadlineMs
  }
}).createMachine({
  id: "http",
  context: ({ input }) => ({ ...input, host: null, port: null, finished: 0, cut: 0, lastError: null }),
  initial: "Binding",
  states: {
    Binding: {
      description: "Takes host and port. A failure ends the component with its name, for example PortInUse.",
      tags: "starting",
      invoke: {
        src: "bind",
        input: {},
        onDone: {
          target: "Serving",
          actions: assign({ host: ({ event }) => event.output.host, port: ({ event }) => event.output.port })
        }
      },
      on: { "stop.announced": "Stopped", "listener.close": "Stopped" },
      after: { bindDeadline: "Failed" }
    },
    Serving: {
      description: "The socket accepts connections, and its own end is watched.",
      initial: "Listening",
      invoke: { src: "watch", input: {} },
      on: { "listener.close": "Closing" },
      states: {
        Listening: {
          description: "Serves everything; what cannot be done yet is answered 503.",
          tags: ["ready", "resting"],
          on: { "stop.announced": "Draining" }
        },
        Draining: {
          description:
            "The process stops: health is served, new posts get 503, posts in flight are answered.",
          tags: "draining",
          // A second announcement is the same stop.
          on: { "stop.announced": {} },
          after: { drainDeadline: "#http.Closing" }
        }
      }
    },
    Closing: {
      description: "Accepts nothing new; the last answers leave, idle connections are closed.",
      tags: "draining",
      invoke: {
        src: "close",
        input: {},
        onDone: {
          target: "Stopped",
          actions: assign({
            finished: ({ event }) => event.output.finished,
            cut: ({ event }) => event.output.cut
          })
        },
        onError: { target: "Stopped", actions: assign({ lastError: ({ event }) => String(event.error) }) }
      },
      on: { "stop.announced": {}, "listener.close": {} },
      after: { closeDeadline: { target: "Stopped", actions: assign({ lastError: "closing took too long" }) } }
    },
    Failed: {
      description: "The bind never completed; the component ends as crashed.",
      tags: "failed",
      entry: "giveUpBinding"
    },
    Stopped: { description: "The socket is closed.", tags: "stopped", type: "final" }
  }
})
