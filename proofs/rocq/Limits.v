(** T5, limits: what no compression can do.

    The paper claims in its Theorem 1 that "a low-rank state represents any sequence", and in its Theorem 2 that the
    compression is "without loss". Both are false of any code that is shorter than what it stands for:
    - a state of finitely many numbers of finite precision has fewer values than there are long enough histories, so
      two different histories share a state ([state_forgets_some_history], for the shipped sizes
      [default_state_cannot_hold_4097_tokens]), against Theorem 1;
    - no decoder recovers every history from a shorter code or a shorter digest ([no_decoder_recovers_every_history],
      [no_digest_recovers_every_history]), against Theorem 2; at most one history in |V|^(n-m) comes back
      ([share_recovered]), so loss is the rule and has to be measured.
    Nothing here is about real numbers of unlimited precision, where one number can hold any sequence; about these
    the linear statement holds ([linear_readout_loses_rank]).

    For the code: why `eval` measures what is lost, and why the decoder copies segments and does not reconstruct
    them from the state. The state meant is S_t; `State` in `policy.rs` keeps a vector for each segment beside it, and
    grows with the history. *)

From mathcomp Require Import all_ssreflect all_algebra.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

(** ** Any code with fewer values than histories *)

Section Pigeonhole.

Variables (history code : finType).
Hypothesis fewer : #|code| < #|history|.

Lemma no_injective_encoder (encode : history -> code) : ~ injective encode.
Proof. by move/leq_card; rewrite leqNgt fewer. Qed.

(** Two different histories share a code. *)
Theorem two_histories_share_a_code (encode : history -> code) :
  exists h h' : history, h != h' /\ encode h = encode h'.
Proof.
have /injectivePn[h [h' neq same]] : ~~ injectiveb encode.
  by apply/injectiveP; apply: no_injective_encoder.
by exists h, h'.
Qed.

(** Every decoder fails on some history. *)
Theorem every_decoder_fails (encode : history -> code) (decode : code -> history) :
  exists h, decode (encode h) != h.
Proof.
have [h [h' [neq same]]] := two_histories_share_a_code encode.
have [eq_h|] := eqVneq (decode (encode h)) h; last by exists h.
by exists h'; rewrite -same eq_h.
Qed.

End Pigeonhole.

(** A decoder recovers at most as many histories as there are codes. *)
Theorem recovered_at_most_codes (history code : finType)
    (encode : history -> code) (decode : code -> history) :
  #|[pred h | decode (encode h) == h]| <= #|code|.
Proof.
apply: (@leq_card_in _ _ encode) => h h'; rewrite !inE => /eqP eq_h /eqP eq_h' same.
by rewrite -eq_h same.
Qed.

(** ** Words over one alphabet *)

Section Words.

Variable V : finType.
Hypothesis two_letters : 1 < #|V|.
Variables m n : nat.
Hypothesis shorter : m < n.

(** No map from words of n letters to words of fewer letters is one-to-one. *)
Theorem no_injection_to_shorter_words (encode : n.-tuple V -> m.-tuple V) : ~ injective encode.
Proof. by apply: no_injective_encoder; rewrite !card_tuple ltn_exp2l. Qed.

(** For any encoder two different histories have the same code. *)
Corollary two_words_share_a_code (encode : n.-tuple V -> m.-tuple V) :
  exists h h', h != h' /\ encode h = encode h'.
Proof. by apply: two_histories_share_a_code; rewrite !card_tuple ltn_exp2l. Qed.

(** Hence "without loss" is false. *)
Theorem no_decoder_recovers_every_history
    (encode : n.-tuple V -> m.-tuple V) (decode : m.-tuple V -> n.-tuple V) :
  exists h, decode (encode h) != h.
Proof. by apply: every_decoder_fails; rewrite !card_tuple ltn_exp2l. Qed.

(** At most one history in |V|^(n-m) comes back. *)
Theorem share_recovered (encode : n.-tuple V -> m.-tuple V) (decode : m.-tuple V -> n.-tuple V) :
  #|[pred h | decode (encode h) == h]| * #|V| ^ (n - m) <= #|{: n.-tuple V}|.
Proof.
rewrite card_tuple -[in X in _ <= X](subnKC (ltnW shorter)) expnD leq_mul2r.
by apply/orP; right; apply: leq_trans (recovered_at_most_codes _ _) _; rewrite card_tuple.
Qed.

(** The same for digests of at most m letters, of any length: a selection loses too. *)
Theorem no_digest_recovers_every_history
    (digest : n.-tuple V -> {bseq m of V}) (decode : {bseq m of V} -> n.-tuple V) :
  exists h, decode (digest h) != h.
Proof.
apply: every_decoder_fails; rewrite card_bseq card_tuple.
apply: leq_trans (_ : #|V| ^ m.+1 <= _); last by rewrite leq_exp2l.
elim: m => [|k IH]; first by rewrite big_ord1 expn0 expn1.
rewrite big_ord_recr [X in _ < X]expnS /=; apply: leq_trans (_ : #|V| ^ k.+1 + #|V| ^ k.+1 <= _).
  by rewrite ltn_add2r.
by rewrite addnn -mul2n leq_mul2r two_letters orbT.
Qed.

End Words.

(** ** A state of finite precision *)

(** A state of q numbers with at most 2^w values each cannot tell apart all histories of n tokens out of at least
    2^b, once n b > q w: whatever the recurrence, two histories end in the same state. Hence "represents any
    sequence" is false. *)
Theorem state_forgets_some_history (token number : finType) (b w n q : nat)
    (final_state : n.-tuple token -> q.-tuple number) :
  2 ^ b <= #|token| -> #|number| <= 2 ^ w -> q * w < n * b ->
  exists h h', h != h' /\ final_state h = final_state h'.
Proof.
move=> many few long; apply: two_histories_share_a_code; rewrite !card_tuple.
have n_gt0 : 0 < n by rewrite lt0n; apply: contraTneq long => ->; rewrite mul0n.
apply: leq_ltn_trans (_ : (2 ^ w) ^ q < _).
  by have [->|q_gt0] := posnP q; rewrite ?expn0 // leq_exp2r.
apply: leq_trans (_ : (2 ^ b) ^ n <= _); last by rewrite leq_exp2r.
by rewrite -!expnM ltn_exp2l // mulnC [b * n]mulnC.
Qed.

(** The shipped sizes: 8 channels of 256 numbers of 32 bits, tokens of an encoding with at least 2^16 of them
    (cl100k has some 100,000): 4097 tokens are too many. *)
Theorem default_state_cannot_hold_4097_tokens (token number : finType)
    (final_state : 4097.-tuple token -> (256 * 8).-tuple number) :
  2 ^ 16 <= #|token| -> #|number| <= 2 ^ 32 ->
  exists h h', h != h' /\ final_state h = final_state h'.
Proof. by move=> many few; apply: state_forgets_some_history many few _; rewrite -[4097]/(4096 + 1) mulnDl. Qed.

(** ** Linear readout, any precision *)

Section Linear.

Import GRing.Theory.
Local Open Scope ring_scope.

Variable F : fieldType.

(** What a linear readout D of r channels gives misses a history of larger rank, by at least the difference of the
    ranks: a low-rank state does not represent any matrix even over the real numbers. *)
Theorem linear_readout_loses_rank d r n (H : 'M[F]_(d, n)) (S : 'M[F]_(d, r)) (D : 'M[F]_(r, n)) :
  (\rank H - r <= \rank (H - S *m D)%R)%N.
Proof.
rewrite leq_subLR -[X in (\rank X <= _)%N](subrK (S *m D)) addrC.
apply: leq_trans (mxrank_add _ _) _; rewrite leq_add2r.
exact: leq_trans (mxrankM_maxl _ _) (rank_leq_col _).
Qed.

Corollary no_linear_readout_of_larger_rank d r n (H : 'M[F]_(d, n)) :
  (r < \rank H)%N -> forall (S : 'M[F]_(d, r)) (D : 'M[F]_(r, n)), S *m D <> H.
Proof.
move=> lt_rank S D eq_H; have := linear_readout_loses_rank H S D.
by rewrite eq_H subrr mxrank0 leqn0 subn_eq0 leqNgt lt_rank.
Qed.

End Linear.
