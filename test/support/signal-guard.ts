/**
 * The table of signals as a guard of test databases: a row that takes a step the table does not have is an error of the
 * statement that moved it.
 *
 * In tests and not in a migration: in production a rule that is wrong would stop a signal that is right.
 *
 * Promises: the steps are those of domain/signals/signal-status.ts, read when the database is made.
 * Never: judges an insert; a row may begin anywhere.
 */
import { SIGNAL_STATUSES, SIGNAL_TRANSITIONS } from "../../src/domain/signals/signal-status.ts"

/** Every step from one status to another, as `from>to`. */
export const signalSteps: ReadonlyArray<string> = SIGNAL_STATUSES.flatMap((from) =>
  [...new Set(Object.values(SIGNAL_TRANSITIONS[from]))].flatMap((to) =>
    to === from ? [] : [`${from}>${to}`]
  )
)

/** Statements that put the guard on a migrated database. */
export const signalGuard: ReadonlyArray<string> = [
  `CREATE FUNCTION signal_step() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF OLD.status <> NEW.status AND NOT OLD.status || '>' || NEW.status
        = ANY (ARRAY[${signalSteps.map((step) => `'${step}'`).join(", ")}]) THEN
        RAISE EXCEPTION 'signal %: % to % is no step of signal-status.ts', OLD.id, OLD.status, NEW.status;
      END IF;
      RETURN NEW;
    END $$`,
  `CREATE TRIGGER signal_step BEFORE UPDATE OF status ON signals
    FOR EACH ROW EXECUTE FUNCTION signal_step()`
]
