import { describe } from "@effect/vitest"
import { brokerContract } from "./broker.contract.ts"
import { makePaperWorld } from "./broker-paper-world.ts"

describe("broker contract: paper venue", () => brokerContract(makePaperWorld))
