(** T4, stability: the state stays bounded for ever, and how it forgets.

    For the code: `Cell::factors` clips A entrywise to [-C, C] and makes the rows of B a softmax with its null entry
    dropped, and the gate is 0 or in [g_min, 1]. From that alone, whatever the weights and however long the episode,
    no entry of the state exceeds C; two states under the same turns come together at a known rate, counted in
    activations of a channel and not in turns; a channel that no turn activates keeps what it holds. The two memories
    the coordinator is compared with are cases: [identity_substochastic], [pooled_gates_average]. *)

From mathcomp Require Import all_ssreflect all_algebra.
From LRRC Require Import Recurrence.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.Theory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Section Stability.

Variable R : realFieldType.

(** Every entry within [-C, C]. *)
Definition bounded (C : R) m n (M : 'M[R]_(m, n)) : Prop := forall i j, `|M i j| <= C.

(** Entries at least 0, row sums at most 1. *)
Definition substochastic m n (B : 'M[R]_(m, n)) : Prop :=
  (forall i j, 0 <= B i j) /\ (forall i, \sum_j B i j <= 1).

(** Every gate within [0, 1]. *)
Definition unit_gates n (g : 'rV[R]_n) : Prop := forall j, 0 <= g 0 j <= 1.

(** Every gate 0 or within [g_min, 1]. *)
Definition gates_off_or_above (g_min : R) n (g : 'rV[R]_n) : Prop :=
  forall j, g 0 j = 0 \/ g_min <= g 0 j <= 1.

Lemma gates_off_or_above_unit g_min n (g : 'rV[R]_n) :
  0 <= g_min -> gates_off_or_above g_min g -> unit_gates g.
Proof.
move=> ge0 off j; have [->|/andP[ge_min le1]] := off j; first by rewrite lexx ler01.
by rewrite (le_trans ge0).
Qed.

(** The channels that write a column of their own (`Memory::Rims`, B the identity) are a case. *)
Lemma identity_substochastic n : substochastic (1%:M : 'M[R]_n).
Proof.
split=> [i j|i]; first by rewrite mxE ler0n.
rewrite (bigD1 i) //= mxE eqxx big1 ?addr0 // => j /negPf ne_ji.
by rewrite mxE eq_sym ne_ji.
Qed.

Section Bound.

Variables (d r r_u : nat) (C : R).
Hypothesis C_ge0 : 0 <= C.
Implicit Types (S : 'M[R]_(d, r)) (t : turn [fieldType of R] d r r_u).

(** Mixing clipped columns by a sub-stochastic B needs no clip of its own. *)
Theorem update_bounded (A : 'M[R]_(d, r_u)) (B : 'M[R]_(r, r_u)) :
  bounded C A -> substochastic B -> bounded C (A *m B^T).
Proof.
move=> bA [B_ge0 B_sum] i j; rewrite mxE; apply: le_trans (ler_norm_sum _ _ _) _.
apply: (@le_trans _ _ (\sum_u C * B j u)); last by rewrite -mulr_sumr ler_pimulr.
by apply: ler_sum => u _; rewrite mxE normrM (ger0_norm (B_ge0 _ _)) ler_wpmul2r.
Qed.

(** What the code guarantees of a turn. *)
Definition sound_turn t : Prop :=
  [/\ bounded C (left_factor t), substochastic (right_factor t) & unit_gates (gates t)].

(** One turn: a convex combination of two numbers within [-C, C]. *)
Theorem step_bounded S t :
  bounded C S -> bounded C (update t) -> unit_gates (gates t) -> bounded C (step S t).
Proof.
move=> bS bU unit i j; have /andP[g_ge0 g_le1] := unit j.
have h_ge0 : 0 <= 1 - gates t 0 j by rewrite subr_ge0.
rewrite step_entry; apply: le_trans (ler_norm_add _ _) _.
rewrite !normrM (ger0_norm g_ge0) (ger0_norm h_ge0).
apply: le_trans (ler_add (ler_wpmul2r h_ge0 (bS _ _)) (ler_wpmul2r g_ge0 (bU _ _))) _.
by rewrite -mulrDr subrK mulr1.
Qed.

(** All turns: the bound holds for ever. *)
Theorem state_bounded_forever S (ts : seq (turn [fieldType of R] d r r_u)) :
  bounded C S -> (forall t, List.In t ts -> sound_turn t) -> bounded C (run S ts).
Proof.
elim: ts S => [|t ts IH] S bS sound //=; apply: IH => [|t' in_ts]; last by apply: sound; right.
have [bA sB unit] := sound t (or_introl erefl).
exact: step_bounded bS (update_bounded bA sB) unit.
Qed.

(** The case of the code, whose states start at zero. *)
Corollary state_from_zero_bounded (ts : seq (turn [fieldType of R] d r r_u)) :
  (forall t, List.In t ts -> sound_turn t) -> bounded C (run 0 ts).
Proof. by apply: state_bounded_forever => i j; rewrite mxE normr0. Qed.

End Bound.

(** The same with rounding. One entry over the turns: where the gate is closed the entry is copied exactly, as
    [s * 1 + u * 0] is in floating point; where it is open the new value errs by at most [e]. The errors do not add
    up: the excess over C stays below [e / g_min], however long the episode. The bound C may itself be a little more
    than the clip, as row sums of a rounded softmax may be a little more than 1. *)
Theorem rounded_state_bounded (C e g_min : R) (s u g : nat -> R) :
  0 <= C -> 0 <= e -> 0 < g_min ->
  (forall n, `|u n| <= C) ->
  (forall n, (g n = 0 /\ s n.+1 = s n)
             \/ (g_min <= g n <= 1 /\ `|s n.+1 - (s n * (1 - g n) + u n * g n)| <= e)) ->
  `|s 0%N| <= C + e / g_min ->
  forall n, `|s n| <= C + e / g_min.
Proof.
move=> C_ge0 e_ge0 g_gt0 bu turn start; elim=> [|n IH] //.
have [[_ ->] //|[/andP[ge_min le1] err]] := turn n.
have g_ge0 : 0 <= g n by apply: le_trans ge_min; apply: ltW.
have h_ge0 : 0 <= 1 - g n by rewrite subr_ge0.
rewrite -(subrK (s n * (1 - g n) + u n * g n) (s n.+1)).
apply: le_trans (ler_norm_add _ _) _; apply: le_trans (ler_add err (ler_norm_add _ _)) _.
rewrite !normrM (ger0_norm g_ge0) (ger0_norm h_ge0).
have le_s := ler_wpmul2r h_ge0 IH; have le_u := ler_wpmul2r g_ge0 (bu n).
apply: le_trans (ler_add (lexx e) (ler_add le_s le_u)) _.
rewrite mulrDl addrAC -mulrDr subrK mulr1 addrCA ler_add2l.
rewrite mulrBr mulr1 addrCA ger_addl subr_le0.
by rewrite mulrAC ler_pdivl_mulr // ler_wpmul2l.
Qed.

Section Forgetting.

Variables (d r r_u : nat).
Implicit Types (S : 'M[R]_(d, r)) (t : turn [fieldType of R] d r r_u).
Implicit Types (ts : seq (turn [fieldType of R] d r r_u)).

(** What is left of a channel after these turns. *)
Definition left_of j ts : R := \prod_(t <- ts) (1 - gates t 0 j).

(** Turns that write channel j. *)
Definition activations j ts : nat := count (fun t => gates t 0 j != 0) ts.

(** Two starts under the same turns differ, entry by entry, by exactly the product of 1 - g times the first
    difference. The turns are the same only if the gates do not read the state: mode `input`. *)
Theorem difference_after_turns S S' ts i j :
  (run S ts - run S' ts) i j = left_of j ts * (S - S') i j.
Proof.
rewrite /left_of; elim: ts S S' => [|t ts IH] S S' /=; first by rewrite big_nil mul1r.
rewrite big_cons IH [_ * \prod_(_ <- _) _]mulrC -mulrA; congr (_ * _).
have sub (M N : 'M[R]_(d, r)) : (M - N) i j = M i j - N i j by rewrite !mxE.
by rewrite !sub !step_entry opprD addrACA subrr addr0 -mulrBl mulrC.
Qed.

Lemma left_of_ge0 j ts : (forall t, List.In t ts -> unit_gates (gates t)) -> 0 <= left_of j ts.
Proof.
rewrite /left_of; elim: ts => [|t ts IH] unit; first by rewrite big_nil ler01.
rewrite big_cons mulr_ge0 // ?IH //; last by move=> t' in_ts; apply: unit; right.
by have /andP[_] := unit t (or_introl erefl) j; rewrite subr_ge0.
Qed.

Lemma left_of_le g_min j ts :
  0 <= g_min <= 1 -> (forall t, List.In t ts -> gates_off_or_above g_min (gates t)) ->
  left_of j ts <= (1 - g_min) ^+ activations j ts.
Proof.
case/andP=> ge0 le1; rewrite /left_of /activations; elim: ts => [|t ts IH] off.
  by rewrite big_nil expr0.
have off_ts t' : List.In t' ts -> gates_off_or_above g_min (gates t') by move=> h; apply: off; right.
have left_ge0 : 0 <= \prod_(t' <- ts) (1 - gates t' 0 j).
  by apply: left_of_ge0 => t' in_ts; apply: gates_off_or_above_unit (off_ts _ in_ts).
have [g0|/andP[ge_min g_le1]] := off t (or_introl erefl) j; rewrite big_cons /=.
  by rewrite g0 eqxx subr0 mul1r add0n IH.
have [g0|nz] := eqVneq (gates t 0 j) 0; first by rewrite g0 subr0 mul1r add0n IH.
by rewrite add1n exprS ler_pmul ?IH ?subr_ge0 // ler_add2l ler_opp2.
Qed.

(** The rate: each activation of a channel leaves at most 1 - g_min of a difference in it. *)
Theorem difference_contracts g_min S S' ts i j :
  0 <= g_min <= 1 -> (forall t, List.In t ts -> gates_off_or_above g_min (gates t)) ->
  `|(run S ts - run S' ts) i j| <= (1 - g_min) ^+ activations j ts * `|(S - S') i j|.
Proof.
move=> g_unit off; rewrite difference_after_turns normrM ler_wpmul2r //.
rewrite ger0_norm ?left_of_le // left_of_ge0 // => t in_ts.
by case/andP: g_unit => g_ge0 _; apply: gates_off_or_above_unit (off t in_ts).
Qed.

(** A channel that no turn activates never forgets: there is no rate per turn. *)
Theorem idle_channel_never_forgets S ts i j :
  activations j ts = 0%N -> run S ts i j = S i j.
Proof.
rewrite /activations; elim: ts S => [|t ts IH] S //=; case: eqP => //= g0 /IH ->.
by rewrite step_entry g0 subr0 mulr1 mulr0 addr0.
Qed.

(** The recurrence unrolled, as `Cell::unroll` computes it: channel j after the turns is what is left of its start
    and, for each turn, its update times its gate times what the later turns leave. *)
Theorem run_unrolled t0 S ts i j :
  run S ts i j = left_of j ts * S i j
    + \sum_(s < size ts)
        left_of j (drop s.+1 ts) * gates (nth t0 ts s) 0 j * update (nth t0 ts s) i j.
Proof.
elim: ts S => [|t ts IH] S /=; first by rewrite /left_of big_nil big_ord0 mul1r addr0.
rewrite IH big_ord_recl /= drop0 step_entry [left_of _ _ * (_ + _)]mulrDr -addrA.
congr (_ + (_ + _)).
  by rewrite /left_of big_cons [S i j * _]mulrC mulrA; congr (_ * _); rewrite mulrC.
by rewrite [update t i j * _]mulrC mulrA.
Qed.

(** With gates 1/t the recurrence is the running mean of the updates, whatever its start (`Memory::Pooled`). Its
    gates lie in (0, 1], so the bound holds for it; they fall below any g_min, so the rate of contraction does not. *)
Theorem pooled_gates_average t0 S ts i j :
  (forall s, (s < size ts)%N -> gates (nth t0 ts s) 0 j = s.+1%:R^-1) ->
  (size ts)%:R * run S ts i j = \sum_(t <- ts) update t i j.
Proof.
elim/last_ind: ts => [|ts t IH] pooled; first by rewrite mul0r big_nil.
have g_t : gates t 0 j = (size ts).+1%:R^-1.
  by have := pooled (size ts); rewrite size_rcons nth_rcons ltnn eqxx; apply.
have nz : (size ts).+1%:R != 0 :> R by rewrite pnatr_eq0.
have -> : run S (rcons ts t) = step (run S ts) t by rewrite /run foldl_rcons.
have past : (size ts)%:R * run S ts i j = \sum_(t' <- ts) update t' i j.
  by apply: IH => s lt_s; have := pooled s; rewrite size_rcons nth_rcons lt_s; apply; apply: leqW.
rewrite step_entry g_t size_rcons -cats1 big_cat big_seq1 -past mulrDr.
rewrite [update t i j * _]mulrC mulVKf // mulrCA mulrBr mulr1 divff //.
by rewrite -[in X in X - 1]addn1 natrD addrK [run S ts i j * _]mulrC.
Qed.

End Forgetting.

(** Why the contraction asks for gates that do not read the state: with gates that do, all within [1/2, 1], one turn
    can drive two states apart. *)
Theorem state_gates_may_spread :
  exists (gate : R -> R) (u s s' : R),
    (forall x, 2%:R^-1 <= gate x <= 1)
    /\ `|s - s'| < `|(s * (1 - gate s) + u * gate s) - (s' * (1 - gate s') + u * gate s')|.
Proof.
pose half : R := 2%:R^-1.
have half_gt0 : 0 < half by rewrite invr_gt0 ltr0n.
have half_lt1 : half < 1 by rewrite invf_lt1 ?ltr0n // ltr1n.
have halves : half + half = 1 by rewrite -mulr2n -mulr_natl divff // pnatr_eq0.
have quarter_gt0 : 0 < half * half by rewrite mulr_gt0.
have quarters : half * half + half * half = half by rewrite -mulrDl halves mul1r.
exists (fun x => if x == 0 then 1 else half), 1, 0, (half * half); split.
  by move=> x; case: ifP; rewrite ?lexx ?(ltW half_lt1).
rewrite eqxx gt_eqF // mul0r !add0r !mul1r normrN (gtr0_norm quarter_gt0).
have -> : 1 - half = half by rewrite -[X in X - _]halves addrK.
have -> : 1 - (half * half * half + half) = half - half * half * half.
  by rewrite -[X in X - _]halves opprD addrACA subrr addr0.
rewrite ltr_normr; apply/orP; left.
rewrite ltr_subr_addl -[X in _ < X]quarters ltr_add2r.
by rewrite -[X in _ < X]mulr1 ltr_pmul2l.
Qed.

End Stability.
