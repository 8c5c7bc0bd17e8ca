/**
 * The page of the crash matrix, generated from the cells that the tests run.
 *
 * Promises: every cell is on the page, with the outcome of its order; the same cells always give the same text.
 * Never: claims that a cell passed; the run of its test shows that.
 */
import { endingOf, POINTS, type Point, RULES, faultsOf, cellsOf } from "../test/outside/crash-cells.ts"

const tableOf = (point: Point): ReadonlyArray<string> => [
  `## ${point}: ${POINTS[point]}`,
  "",
  `| the venue | ${RULES.join(" | ")} |`,
  `|--|${RULES.map(() => "--").join("|")}|`,
  ...Object.entries(faultsOf(point)).map(([fault, { what }]) => {
    const outcomes = RULES.map((rule) => `\`${endingOf({ point, rule, fault })}\``)
    return `| \`${fault}\`: ${what} | ${outcomes.join(" | ")} |`
  }),
  ""
]

/** docs/crash-matrix.md. */
export const crashPage = (): string => {
  const cells = RULES.flatMap(cellsOf)
  const points = [...new Set(cells.map(({ point }) => point))]
  return [
    "# The crash matrix",
    "",
    "Generated from `test/outside/crash-cells.ts` by `npm run draw`. Each cell is run on real processes: an alert is",
    "posted, the venue (a process of its own) misbehaves as the row describes, holdfast gets SIGKILL at the point of the heading and",
    "is restarted; the judge reads the venue's book and its count of create requests. In every cell there is at most",
    "one order in the book, under the rules O and N at most one create, and both books have the same fills and positions.",
    "The columns are what the venue does with a client order id it has seen before: U returns the existing order, R refuses",
    "for good, O is unique among open orders only, N creates another. Under F the process gets SIGSTOP instead, and goes on",
    "past its lease: the venue then receives one create, or none where an operator decides; where the bytes were already",
    "permitted, the other process may send the same id again under U and R, which makes no second order. Under K12 a partly filled",
    "entry is cancelled and the order of the cell is the close of what it had brought; the entry ends once, its alert is raised once.",
    "",
    `${cells.length} cells: \`npm run test:long -- test/outside/crash-matrix.long.test.ts\`; a sample is part of \`npm test\`.`,
    "The name of a cell in a report is `POINT FAULT RULE`.",
    "",
    ...points.flatMap(tableOf)
  ].join("\n")
}
