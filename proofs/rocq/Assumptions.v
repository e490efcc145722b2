(** What the theorems rest on: nothing but the kernel.

    `make` compiles this file, and fails unless each theorem and corollary of the other files is named here once and
    Coq answers "Closed under the global context" to each. *)

From LRRC Require Import Rank Parameters Payload Stability Limits.

(** T1, rank. *)
Print Assumptions Rank.rank_of_update.
Print Assumptions Rank.rank_of_gated_update.
Print Assumptions Rank.rank_after_turns.
Print Assumptions Rank.rank_from_zero.
Print Assumptions Rank.clip_may_raise_rank.

(** T2, parameters. *)
Print Assumptions Parameters.factors_are_smaller_iff.
Print Assumptions Parameters.factors_are_smaller_iff_below_ratio.
Print Assumptions Parameters.full_update_rank_never_saves.
Print Assumptions Parameters.default_factors_are_smaller_iff.

(** T3, payload. *)
Print Assumptions Payload.digest_invents_nothing.
Print Assumptions Payload.cost_of_subsequence.
Print Assumptions Payload.increasing_picks_are_a_subsequence.
Print Assumptions Payload.select_is_a_digest_within_limit.
Print Assumptions Payload.sent_at_most_full.
Print Assumptions Payload.sent_is_linear.
Print Assumptions Payload.full_context_is_quadratic.
Print Assumptions Payload.saving_at_least.
Print Assumptions Payload.saving_exact_iff.
Print Assumptions Payload.marked_sent_is_linear.
Print Assumptions Payload.marked_sent_at_most_full.

(** T4, stability. *)
Print Assumptions Stability.update_bounded.
Print Assumptions Stability.step_bounded.
Print Assumptions Stability.state_bounded_forever.
Print Assumptions Stability.state_from_zero_bounded.
Print Assumptions Stability.rounded_state_bounded.
Print Assumptions Stability.difference_after_turns.
Print Assumptions Stability.difference_contracts.
Print Assumptions Stability.idle_channel_never_forgets.
Print Assumptions Stability.run_unrolled.
Print Assumptions Stability.pooled_gates_average.
Print Assumptions Stability.state_gates_may_spread.

(** T5, limits. *)
Print Assumptions Limits.two_histories_share_a_code.
Print Assumptions Limits.every_decoder_fails.
Print Assumptions Limits.recovered_at_most_codes.
Print Assumptions Limits.no_injection_to_shorter_words.
Print Assumptions Limits.two_words_share_a_code.
Print Assumptions Limits.no_decoder_recovers_every_history.
Print Assumptions Limits.share_recovered.
Print Assumptions Limits.no_digest_recovers_every_history.
Print Assumptions Limits.state_forgets_some_history.
Print Assumptions Limits.default_state_cannot_hold_4097_tokens.
Print Assumptions Limits.linear_readout_loses_rank.
Print Assumptions Limits.no_linear_readout_of_larger_rank.
