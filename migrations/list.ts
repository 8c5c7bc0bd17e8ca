/**
 * Every migration in order; generated from the names of the files by `npm run draw`.
 *
 * Promises: numbered without a gap.
 * Never: edited by hand.
 */
import m0001 from "./0001_init.ts"
import m0002 from "./0002_wave-signals.ts"
import m0003 from "./0003_wave-ledger.ts"
import m0004 from "./0004_metadata-index.ts"
import m0005 from "./0005_settling.ts"
import m0006 from "./0006_signal-intent.ts"
import m0007 from "./0007_shares.ts"
import m0008 from "./0008_alert-outbreaks.ts"
import m0009 from "./0009_signals-due.ts"
import m0010 from "./0010_installation.ts"
import m0011 from "./0011_node-leases.ts"
import m0012 from "./0012_reasons-that-are-over.ts"
import m0013 from "./0013_clock.ts"
import m0014 from "./0014_settings-versions.ts"
import m0015 from "./0015_risk.ts"
import m0016 from "./0016_audit.ts"
import m0017 from "./0017_refused-posts.ts"
import m0018 from "./0018_openings.ts"
import m0019 from "./0019_expected-signals.ts"
import m0020 from "./0020_breakers.ts"
import m0021 from "./0021_live-settings.ts"
import m0022 from "./0022_order-lifecycle.ts"
import m0023 from "./0023_journal.ts"
import m0024 from "./0024_resources.ts"
import m0025 from "./0025_moving-exits.ts"
import m0026 from "./0026_signal-mapping.ts"
import m0027 from "./0027_journal-pictures.ts"
import m0028 from "./0028_facts.ts"
import m0029 from "./0029_telegram.ts"
import m0030 from "./0030_drills.ts"
import m0031 from "./0031_restart-history.ts"
import m0032 from "./0032_telegram-chats.ts"
import m0033 from "./0033_list-indexes.ts"
import m0034 from "./0034_outbox.ts"
import m0035 from "./0035_order-types.ts"
import m0036 from "./0036_approvals.ts"
import m0037 from "./0037_stages.ts"
import m0038 from "./0038_telegram-self-test.ts"
import m0039 from "./0039_paper-orders.ts"

export const migrations = [
  { id: 1, name: "0001_init", up: m0001 },
  { id: 2, name: "0002_wave-signals", up: m0002 },
  { id: 3, name: "0003_wave-ledger", up: m0003 },
  { id: 4, name: "0004_metadata-index", up: m0004 },
  { id: 5, name: "0005_settling", up: m0005 },
  { id: 6, name: "0006_signal-intent", up: m0006 },
  { id: 7, name: "0007_shares", up: m0007 },
  { id: 8, name: "0008_alert-outbreaks", up: m0008 },
  { id: 9, name: "0009_signals-due", up: m0009 },
  { id: 10, name: "0010_installation", up: m0010 },
  { id: 11, name: "0011_node-leases", up: m0011 },
  { id: 12, name: "0012_reasons-that-are-over", up: m0012 },
  { id: 13, name: "0013_clock", up: m0013 },
  { id: 14, name: "0014_settings-versions", up: m0014 },
  { id: 15, name: "0015_risk", up: m0015 },
  { id: 16, name: "0016_audit", up: m0016 },
  { id: 17, name: "0017_refused-posts", up: m0017 },
  { id: 18, name: "0018_openings", up: m0018 },
  { id: 19, name: "0019_expected-signals", up: m0019 },
  { id: 20, name: "0020_breakers", up: m0020 },
  { id: 21, name: "0021_live-settings", up: m0021 },
  { id: 22, name: "0022_order-lifecycle", up: m0022 },
  { id: 23, name: "0023_journal", up: m0023 },
  { id: 24, name: "0024_resources", up: m0024 },
  { id: 25, name: "0025_moving-exits", up: m0025 },
  { id: 26, name: "0026_signal-mapping", up: m0026 },
  { id: 27, name: "0027_journal-pictures", up: m0027 },
  { id: 28, name: "0028_facts", up: m0028 },
  { id: 29, name: "0029_telegram", up: m0029 },
  { id: 30, name: "0030_drills", up: m0030 },
  { id: 31, name: "0031_restart-history", up: m0031 },
  { id: 32, name: "0032_telegram-chats", up: m0032 },
  { id: 33, name: "0033_list-indexes", up: m0033 },
  { id: 34, name: "0034_outbox", up: m0034 },
  { id: 35, name: "0035_order-types", up: m0035 },
  { id: 36, name: "0036_approvals", up: m0036 },
  { id: 37, name: "0037_stages", up: m0037 },
  { id: 38, name: "0038_telegram-self-test", up: m0038 },
  { id: 39, name: "0039_paper-orders", up: m0039 }
]
