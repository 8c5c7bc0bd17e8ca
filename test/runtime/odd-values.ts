/**
 * Values somebody may throw or fail with, each of which breaks code that believes in the type of errors.
 *
 * Never: values JavaScript cannot throw.
 */
import { Data } from "effect"

class ApiError extends Data.TaggedError("ApiError")<{ readonly message: string }> {}

/** By name, each newly made: some can be looked at only once. */
export const oddValues: Readonly<Record<string, () => unknown>> = {
  "a tagged error whose message is undefined": () => new ApiError({ message: undefined as never }),
  "an error whose message is an object": () => Object.assign(new Error("x"), { message: { en: "bad" } }),
  "an error whose message throws": () =>
    Object.defineProperty(new Error("x"), "message", {
      get: () => {
        throw new Error("no message")
      }
    }),
  "a value whose failure class throws": () => ({
    get failureClass() {
      throw new Error("no class")
    }
  }),
  "a value whose tag throws": () => ({
    get _tag() {
      throw new Error("no tag")
    }
  }),
  "a revoked proxy": () => {
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    return proxy
  },
  "an object without a prototype": () => Object.create(null),
  "a symbol": () => Symbol("odd"),
  nothing: () => undefined
}
