/** A whole seeded day: 500 signals over twenty instruments (G1, T15). */
import { describeDay } from "./seeded-day-checks.ts"

describeDay(20_261_124, 500, 900_000)
