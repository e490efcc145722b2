(** T1, rank: what one turn and T turns can write.

    For the code: the rank r of the configuration is a true bound of the state's rank, r_u and top-k bound how much of
    it one turn can fill, and the bounds hold for any weights. *)

From mathcomp Require Import all_ssreflect all_algebra.
From LRRC Require Import Recurrence.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.Theory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Section Rank.

Variable F : fieldType.

(** A diagonal matrix has at most the rank of its non-zero entries. *)
Lemma rank_diag_le n (g : 'rV[F]_n) :
  (\rank (diag_mx g) <= open_gates g)%N.
Proof.
rewrite /open_gates diag_mx_sum_delta -sum1_card [X in (_ <= X)%N]big_mkcond /=.
elim/big_rec2: _ => [|j k M _ le_Mk]; first by rewrite mxrank0.
apply: leq_trans (mxrank_add _ _) (leq_add _ le_Mk).
rewrite inE; have [->|nz] := eqVneq (g 0 j) 0; first by rewrite scale0r mxrank0.
by rewrite mxrank_scale_nz ?mxrank_delta.
Qed.

(** A product with a thin middle has at most the rank of its middle and of its last factor. *)
Theorem rank_of_update d r r_u n
    (A : 'M[F]_(d, r_u)) (B : 'M[F]_(r, r_u)) (M : 'M[F]_(r, n)) :
  (\rank (A *m B^T *m M) <= minn r_u (\rank M))%N.
Proof.
rewrite leq_min mxrankM_maxr andbT.
by apply: leq_trans (mxrankM_maxl _ _) (leq_trans (mxrankM_maxl _ _) (rank_leq_col _)).
Qed.

Section Turns.

Variables (d r r_u : nat).
Implicit Types (S : 'M[F]_(d, r)) (t : turn F d r r_u) (ts : seq (turn F d r r_u)).

(** What one turn writes, U diag(g), has rank at most r_u and at most the number of channels it writes. *)
Theorem rank_of_gated_update t :
  (\rank (update t *m diag_mx (gates t)) <= minn r_u (active_channels t))%N.
Proof.
apply: leq_trans (rank_of_update _ _ _) _.
by rewrite leq_min geq_minl (leq_trans (geq_minr _ _) (rank_diag_le _)).
Qed.

Lemma rank_of_step S t :
  (\rank (step S t) <= \rank S + minn r_u (active_channels t))%N.
Proof.
apply: leq_trans (mxrank_add _ _) (leq_add (mxrankM_maxl _ _) _).
exact: rank_of_gated_update.
Qed.

(** After T turns that each write at most k channels, the state has at most the rank of its start plus T times
    min(r_u, k), and never more than r or d. From the zero state a short episode cannot fill a large r. *)
Theorem rank_after_turns k S ts :
  all (fun t => active_channels t <= k)%N ts ->
  (\rank (run S ts) <= minn (minn d r) (\rank S + size ts * minn r_u k))%N.
Proof.
rewrite leq_min leq_min rank_leq_row rank_leq_col /=.
elim: ts S => [|t ts IH] S /=; first by rewrite mul0n addn0.
case/andP=> le_k /IH le_rank; apply: leq_trans (le_rank _) _.
rewrite mulSn addnA leq_add2r; apply: leq_trans (rank_of_step _ _) _.
by rewrite leq_add2l leq_min geq_minl (leq_trans (geq_minr _ _)).
Qed.

(** The case of the code, whose states start at zero. *)
Corollary rank_from_zero k ts :
  all (fun t => active_channels t <= k)%N ts ->
  (\rank (run 0 ts) <= minn r (size ts * minn r_u k))%N.
Proof.
move=> /(rank_after_turns 0); rewrite mxrank0 add0n !leq_min.
by case/andP=> /andP[_ ->] ->.
Qed.

End Turns.

End Rank.

(** Why the left factor is clipped and never the product: clipping entries can raise the rank. *)

Section Clip.

Variable R : realFieldType.

Definition clip (c : R) m n (M : 'M[R]_(m, n)) : 'M[R]_(m, n) :=
  \matrix_(i, j) Num.max (- c) (Num.min c (M i j)).

(** [[1, 2], [2, 4]] has rank 1; clipped at 2 it is [[1, 2], [2, 2]], of rank 2. *)
Theorem clip_may_raise_rank :
  exists (A B : 'M[R]_(2, 1)), (\rank (A *m B^T) <= 1)%N /\ \rank (clip 2%:R (A *m B^T)) = 2%N.
Proof.
pose A : 'M[R]_(2, 1) := \matrix_(i, j) (i.+1)%:R.
exists A, A; split; first exact: leq_trans (mxrankM_maxl _ _) (rank_leq_col _).
apply: mxrank_unit; rewrite unitmxE.
have clipped i j : clip 2%:R (A *m A^T) i j = (minn 2 (i.+1 * j.+1))%:R.
  rewrite mxE; have -> : (A *m A^T) i j = (i.+1 * j.+1)%:R by rewrite mxE big_ord1 !mxE natrM.
  have -> : Num.min (2%:R : R) (i.+1 * j.+1)%:R = (minn 2 (i.+1 * j.+1))%:R.
    by rewrite minEle ler_nat; case: (leqP 2).
  by rewrite maxEle ifT // (le_trans _ (ler0n _ _)) // oppr_le0 ler0n.
move: (clip _ _) clipped => M entry.
rewrite (expand_det_row _ 0) big_ord_recl big_ord1 /cofactor !det_mx11 !mxE !entry /=.
rewrite expr0 expr1 !mul1r mulN1r mulrN unitfE subr_eq0.
by rewrite -!natrM eqr_nat.
Qed.

End Clip.
