(** T3, payload: what a digest sends, and what it saves.

    For the code: `select` picks segments and returns their indices in the order of the history, so a digest is a
    subsequence of the history's segments (it cannot invent one), and under `Limit::Tokens` its estimated cost stays
    within the limit. The totals hold for any count of the tokens of a call, so also for exact counts of the rendered
    text after joining, which is what `eval` reports: token counts are not additive, so the limit on estimates does
    not carry over to them and is measured instead. `Limit::Density` has no limit of tokens at all. *)

From mathcomp Require Import all_ssreflect.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

(** ** Digests *)

Section Digest.

Variable T : eqType.
Implicit Types (h d : seq T) (b : nat).

(** What is left of a history when some of it is struck out, at most b long. *)
Definition is_digest b h d : bool := subseq d h && (size d <= b).

(** A digest holds nothing that the history does not hold. *)
Theorem digest_invents_nothing b h d x : is_digest b h d -> x \in d -> x \in h.
Proof. by case/andP=> /mem_subseq sub _ /sub. Qed.

Lemma digest_size b h d : is_digest b h d -> size d <= minn (size h) b.
Proof. by case/andP=> /size_subseq le_h le_b; rewrite leq_min le_h. Qed.

(** Whatever the history, there is a digest that uses the whole budget. *)
Lemma full_digest_exists b h : exists2 d, is_digest b h d & size d = minn (size h) b.
Proof.
have size_d : size (take b h) = minn (size h) b by rewrite size_take_min minnC.
exists (take b h) => //.
by rewrite /is_digest take_subseq size_d geq_minr.
Qed.

(** Any cost per element (the estimated tokens of a segment) of a subsequence is at most that of the whole. *)
Theorem cost_of_subsequence (cost : T -> nat) h d :
  subseq d h -> \sum_(x <- d) cost x <= \sum_(x <- h) cost x.
Proof.
elim: h d => [|x h IH] [|y d] //=; rewrite ?big_nil ?leq0n //.
case: eqP => [->|_] sub; rewrite [X in _ <= X]big_cons; first by rewrite big_cons leq_add2l IH.
by apply: leq_trans (IH _ sub) (leq_addl _ _).
Qed.

(** Indices in increasing order name a subsequence: why `select` may return indices. *)
Theorem increasing_picks_are_a_subsequence (x0 : T) h picked :
  sorted ltn picked -> all (gtn (size h)) picked -> subseq [seq nth x0 h i | i <- picked] h.
Proof.
move=> inc /allP below; rewrite -[X in subseq _ X](mkseq_nth x0) /mkseq map_subseq //.
have -> : picked = [seq i <- iota 0 (size h) | i \in picked].
  apply: (irr_sorted_eq ltn_trans ltnn) => //.
    exact: sorted_filter ltn_trans _ _ (iota_ltn_sorted _ _).
  move=> i; rewrite mem_filter mem_iota /= add0n.
  by case in_p: (i \in picked) => //=; have /= -> := below _ in_p.
exact: filter_subseq.
Qed.

End Digest.

(** ** The greedy choice *)

Section Select.

(** Segments are numbers. An offer is a segment; buying it buys its bundle, of which only what is not kept yet is
    paid: [weight] a segment, and [extra] whatever else (the line break before a sentence). Both prices may depend on
    what is kept. The offers stand in the order in which the heap of `select` gives them up, which this theorem leaves
    open: it holds for any scores. *)
Variables (bundle : nat -> seq nat) (weight : nat -> nat) (extra : seq nat -> nat -> nat).

Definition unkept (kept : seq nat) offer : seq nat := [seq i <- undup (bundle offer) | i \notin kept].

Definition price kept offer : nat := \sum_(i <- unkept kept offer) weight i + extra kept offer.

Fixpoint buy (left : nat) (kept offers : seq nat) : seq nat :=
  if offers is offer :: rest then
    if price kept offer <= left
    then buy (left - price kept offer) (kept ++ unkept kept offer) rest
    else buy left kept rest
  else kept.

(** What `select` returns: what was bought, in the order of the history. *)
Definition select limit offers : seq nat := sort leq (buy limit [::] offers).

Lemma buy_within left kept offers :
  \sum_(i <- buy left kept offers) weight i <= \sum_(i <- kept) weight i + left.
Proof.
elim: offers left kept => [|offer rest IH] left kept /=; first exact: leq_addr.
case: ifP => // affordable; apply: leq_trans (IH _ _) _.
rewrite big_cat /= -addnA leq_add2l; rewrite -[X in _ <= X](subnKC affordable) leq_add2r.
exact: leq_addr.
Qed.

Lemma buy_uniq left kept offers : uniq kept -> uniq (buy left kept offers).
Proof.
elim: offers left kept => [|offer rest IH] left kept //= uniq_kept.
case: ifP => _; apply: IH => //; rewrite cat_uniq uniq_kept filter_uniq ?undup_uniq // andbT.
by rewrite -all_predC; apply/allP=> i; rewrite mem_filter => /andP[].
Qed.

Lemma buy_below n left kept offers :
  all (gtn n) kept -> all (fun offer => all (gtn n) (bundle offer)) offers ->
  all (gtn n) (buy left kept offers).
Proof.
elim: offers left kept => [|offer rest IH] left kept //= below /andP[bundle_below rest_below].
case: ifP => _; apply: IH => //; rewrite all_cat below /=.
by apply/allP=> i; rewrite mem_filter mem_undup => /andP[_]; apply/allP.
Qed.

(** The choice is a subsequence of the history and costs at most the limit, whatever the scores and the order. *)
Theorem select_is_a_digest_within_limit (T : eqType) (x0 : T) (h : seq T) limit offers :
  all (fun offer => all (gtn (size h)) (bundle offer)) offers ->
  subseq [seq nth x0 h i | i <- select limit offers] h
  /\ \sum_(i <- select limit offers) weight i <= limit.
Proof.
move=> below; split.
  apply: increasing_picks_are_a_subsequence; last by rewrite all_sort buy_below.
  by rewrite ltn_sorted_uniq_leq sort_uniq buy_uniq // sort_sorted //; apply: leq_total.
have /permPl perm := perm_sort leq (buy limit [::] offers).
by rewrite /select (perm_big _ perm) /= -[limit in X in _ <= X]add0n (leq_trans (buy_within _ _ _)) // big_nil.
Qed.

End Select.

(** ** Totals over the calls of an episode *)

Section Totals.

(** Tokens of the history before a call, and tokens sent for it, by any count: `history_tokens` returns this pair. *)
Definition call : Type := nat * nat.
Implicit Types (c : call) (calls : seq call) (b mark : nat).

Definition full_tokens calls : nat := \sum_(c <- calls) c.1.
Definition sent_tokens calls : nat := \sum_(c <- calls) c.2.
Definition saved_tokens calls : nat := full_tokens calls - sent_tokens calls.

(** At most the history and at most b. *)
Definition within b c : bool := c.2 <= minn c.1 b.

(** Calls whose digests are subsequences of at most b tokens are within the budget. *)
Lemma digests_are_within b (T : eqType) (views : seq (seq T * seq T)) :
  all (fun v => is_digest b v.1 v.2) views ->
  all (within b) [seq (size v.1, size v.2) | v <- views].
Proof.
by rewrite all_map; apply: sub_all => v; apply: digest_size.
Qed.

(** No more is sent than the whole context. *)
Theorem sent_at_most_full b calls : all (within b) calls -> sent_tokens calls <= full_tokens calls.
Proof.
rewrite /sent_tokens /full_tokens; elim: calls => [|c calls IH]; first by rewrite !big_nil.
case/andP=> le_c /IH le_cs; rewrite !big_cons leq_add //.
exact: leq_trans le_c (geq_minl _ _).
Qed.

(** What is sent grows at most linearly in the number of calls. *)
Theorem sent_is_linear b calls : all (within b) calls -> sent_tokens calls <= size calls * b.
Proof.
rewrite /sent_tokens; elim: calls => [|c calls IH]; first by rewrite big_nil.
case/andP=> le_c /IH le_cs; rewrite big_cons mulSn leq_add //.
exact: leq_trans le_c (geq_minr _ _).
Qed.

(** The whole context grows quadratically: each call sees all turns before it, of at least [least] tokens each. *)
Theorem full_context_is_quadratic least (turns : seq nat) :
  all (leq least) turns ->
  least * 'C(size turns, 2) <= \sum_(t < size turns) sumn (take t turns).
Proof.
move=> all_least; rewrite -triangular_sum big_mkord big_distrr /=; apply: leq_sum => -[t lt_t] _ /=.
have all_past : all (leq least) (take t turns).
  by move: all_least; rewrite -[X in all _ X -> _](cat_take_drop t) all_cat => /andP[].
have size_past : size (take t turns) = t by rewrite size_takel // ltnW.
rewrite -[X in _ * X <= _]size_past.
elim: (take t turns) all_past => [|x past IH] /=; first by rewrite muln0.
by case/andP=> le_x /IH; rewrite mulnS; apply: leq_add.
Qed.

Lemma sent_below_min b calls :
  all (within b) calls ->
  sent_tokens calls <= \sum_(c <- calls) minn c.1 b
    ?= iff all (fun c => c.2 == minn c.1 b) calls.
Proof.
rewrite /sent_tokens; elim: calls => [|c calls IH] /=; first by rewrite !big_nil.
by case/andP=> le_c /IH le_cs; rewrite !big_cons; apply: leqif_add le_cs; apply: leqif_eq.
Qed.

Lemma full_is_min_plus_excess b calls :
  full_tokens calls = \sum_(c <- calls) minn c.1 b + \sum_(c <- calls) (c.1 - b).
Proof.
rewrite /full_tokens -big_split /=; apply: eq_bigr => c _.
by rewrite minnE subnK // leq_subr.
Qed.

(** At least what exceeds the budget is saved, in each call. *)
Theorem saving_at_least b calls :
  all (within b) calls -> \sum_(c <- calls) (c.1 - b) <= saved_tokens calls.
Proof.
move=> /sent_below_min[le_sent _].
by rewrite /saved_tokens (full_is_min_plus_excess b) addnC -addnBA // leq_addr.
Qed.

(** The saving is the sum of max(0, H - b) exactly when each digest takes min(H, b): the difference [-] of nat is
    cut off at 0. *)
Theorem saving_exact_iff b calls :
  all (within b) calls ->
  (saved_tokens calls == \sum_(c <- calls) (c.1 - b)) = all (fun c => c.2 == minn c.1 b) calls.
Proof.
move=> /sent_below_min[le_sent <-].
rewrite /saved_tokens (full_is_min_plus_excess b) addnC -addnBA //.
rewrite -[X in _ == X]addn0 eqn_add2l subn_eq0.
by rewrite eqn_leq le_sent.
Qed.

(** A line that says that the history was compressed costs [mark] tokens in each call that is [changed]. The total is
    linear with it, and it stays below the full context where each changed call drops at least the line's cost: with
    a mark that is a condition and no law. *)
Definition marked_tokens mark (calls : seq (call * bool)) : nat :=
  \sum_(v <- calls) (v.1.2 + (if v.2 then mark else 0)).

Theorem marked_sent_is_linear b mark (calls : seq (call * bool)) :
  all (fun v => within b v.1) calls -> marked_tokens mark calls <= size calls * (b + mark).
Proof.
rewrite /marked_tokens; elim: calls => [|c calls IH]; first by rewrite big_nil.
case/andP=> le_c /IH le_cs; rewrite big_cons mulSn leq_add // leq_add //.
  exact: leq_trans le_c (geq_minr _ _).
by case: ifP.
Qed.

Theorem marked_sent_at_most_full mark (calls : seq (call * bool)) :
  all (fun v => v.1.2 + (if v.2 then mark else 0) <= v.1.1) calls ->
  marked_tokens mark calls <= full_tokens [seq v.1 | v <- calls].
Proof.
rewrite /marked_tokens /full_tokens big_map; elim: calls => [|c calls IH]; first by rewrite !big_nil.
by case/andP=> worth /IH le_cs; rewrite !big_cons leq_add.
Qed.

End Totals.
