/**
 * Conformance rows: what the supervision runtime is measured against, each with the prefix its test's title must have.
 *
 * The OTP rows are the cases of Erlang/OTP's own supervisor_SUITE, numbered in its order; the H rows are what OTP
 * lacks and a service needs; the S rows are what gen_statem gives a state machine.
 * Promises: the numbers never change, because tests, documents and notes name rows by them.
 * Never: claims that a row holds; its test does.
 */

export interface Group {
  readonly title: string
  /** `otp 36 simple_one_for_one_shutdown`, `H4 start deadline`: a test of the row is titled `<row>: <what it shows>`. */
  readonly rows: ReadonlyArray<string>
}

/** Cases that have no counterpart here, and why. */
export const notApplicable: ReadonlyMap<string, string> = new Map([
  [
    "otp 74 get_callback_module",
    "asks for the Erlang callback module of a process; a child here is a spec, which otp 92 lists"
  ]
])

const otp = (title: string, first: number, ...cases: ReadonlyArray<string>): Group => ({
  title,
  rows: cases.map((name, index) => `otp ${first + index} ${name}`)
})

export const groups: ReadonlyArray<Group> = [
  otp(
    "OTP: sup_start",
    1,
    "sup_start_normal",
    "sup_start_ignore_init",
    "sup_start_ignore_child",
    "sup_start_ignore_temporary_child",
    "sup_start_ignore_temporary_child_start_child",
    "sup_start_ignore_temporary_child_start_child_simple",
    "sup_start_ignore_permanent_child_start_child_simple",
    "sup_start_error_return",
    "sup_start_fail",
    "sup_start_child_returns_error",
    "sup_start_restart_child_returns_error",
    "sup_start_child_returns_error_simple"
  ),
  otp("OTP: sup_start_map", 13, "sup_start_map", "sup_start_map_simple", "sup_start_map_faulty_specs"),
  otp(
    "OTP: sup_stop",
    16,
    "sup_stop_infinity",
    "sup_stop_timeout",
    "sup_stop_timeout_dynamic",
    "sup_stop_brutal_kill",
    "sup_stop_brutal_kill_dynamic",
    "sup_stop_race",
    "sup_stop_non_shutdown_exit_dynamic"
  ),
  otp(
    "OTP: administration & validation",
    23,
    "child_adm",
    "child_adm_simple",
    "extra_return",
    "child_specs",
    "child_specs_map",
    "sup_flags",
    "multiple_restarts"
  ),
  otp("OTP: restart_one_for_one", 30, "one_for_one", "one_for_one_escalation"),
  otp(
    "OTP: restart_one_for_all",
    32,
    "one_for_all",
    "one_for_all_escalation",
    "one_for_all_other_child_fails_restart"
  ),
  otp(
    "OTP: restart_simple_one_for_one",
    35,
    "simple_one_for_one",
    "simple_one_for_one_shutdown",
    "simple_one_for_one_extra",
    "simple_one_for_one_escalation",
    "simple_one_for_one_corruption",
    "simple_one_for_one_restart_ignore"
  ),
  otp(
    "OTP: restart_rest_for_one",
    41,
    "rest_for_one",
    "rest_for_one_escalation",
    "rest_for_one_other_child_fails_restart"
  ),
  otp(
    "OTP: normal_termination",
    44,
    "external_start_no_progress_log",
    "permanent_normal",
    "transient_normal",
    "temporary_normal"
  ),
  otp(
    "OTP: shutdown_termination",
    48,
    "permanent_shutdown",
    "transient_shutdown",
    "temporary_shutdown",
    "faulty_application_shutdown"
  ),
  otp("OTP: abnormal_termination", 52, "permanent_abnormal", "transient_abnormal", "temporary_abnormal"),
  otp("OTP: misc 1", 55, "child_unlink", "tree"),
  otp(
    "OTP: significant",
    57,
    "nonsignificant_temporary",
    "nonsignificant_transient",
    "significant_temporary",
    "significant_transient",
    "significant_simple",
    "significant_bystander",
    "significant_escalation",
    "significant_upgrade_never_any",
    "significant_upgrade_any_never",
    "significant_upgrade_never_all",
    "significant_upgrade_all_never",
    "significant_upgrade_any_all",
    "significant_upgrade_all_any",
    "significant_upgrade_child"
  ),
  otp(
    "OTP: misc 2",
    71,
    "count_children",
    "count_children_supervisor",
    "count_restarting_children",
    "get_callback_module",
    "do_not_save_start_parameters_for_temporary_children",
    "do_not_save_child_specs_for_temporary_children",
    "simple_one_for_one_scale_many_temporary_children",
    "temporary_bystander",
    "simple_global_supervisor",
    "hanging_restart_loop",
    "hanging_restart_loop_rest_for_one",
    "hanging_restart_loop_simple",
    "code_change",
    "code_change_map",
    "code_change_simple",
    "code_change_simple_map",
    "order_of_children",
    "scale_start_stop_many_children",
    "format_log_1",
    "format_log_2",
    "already_started_outside_supervisor",
    "which_children",
    "which_children_simple_one_for_one"
  ),
  {
    title: "Beyond OTP",
    rows: [
      "H1 backoff",
      "H2 backoff reset",
      "H3 per-child budget",
      "H4 start deadline",
      "H5 started is not ready",
      "H6 failure classes",
      "H7 no orphan",
      "H8 no silent death",
      "H9 throwing observer",
      "H10 restart storm",
      "H11 stop deadline",
      "H12 restart latency",
      "H13 hierarchy fuzz"
    ]
  },
  {
    title: "gen_statem",
    rows: [
      "S1 state-enter action",
      "S2 state timeout",
      "S3 event timeout",
      "S4 named timeouts",
      "S5 postpone",
      "S6 inserted events",
      "S7 reply from a later state",
      "S8 start timeout",
      "S9 repeat state"
    ]
  }
]
