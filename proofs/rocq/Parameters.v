(** T2, parameters: when two factors are fewer numbers than the matrix they stand for.

    For the code: an update is [d * r_u] numbers of A and [r * r_u] of B in place of the [d * r] of U. This counts the
    numbers of an update, not the trainable weights, which are shared by all turns. With r_u = min(r, 8) and d = 256
    the factors are the smaller form from r = 9 on; up to r = 8 they are not, whatever d
    ([full_update_rank_never_saves]). *)

From mathcomp Require Import all_ssreflect all_algebra.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import Order.Theory GRing.Theory Num.Theory.

(** Numbers in the two factors of an update, and in the update itself. *)
Definition factor_size (d r r_u : nat) : nat := d * r_u + r * r_u.
Definition dense_size (d r : nat) : nat := d * r.

(** Whole numbers, no division. *)
Theorem factors_are_smaller_iff d r r_u :
  (factor_size d r r_u < dense_size d r) = (r_u * (d + r) < d * r).
Proof. by rewrite /factor_size -mulnDl mulnC. Qed.

(** The rational form: both directions, for a state that has an entry. *)
Theorem factors_are_smaller_iff_below_ratio (R : realFieldType) d r r_u :
  0 < d -> 0 < r ->
  (factor_size d r r_u < dense_size d r) = (r_u%:R < (d * r)%:R / (d + r)%:R :> R)%R.
Proof.
move=> d_gt0 r_gt0; rewrite factors_are_smaller_iff ltr_pdivl_mulr ?ltr0n ?addn_gt0 ?d_gt0 //.
by rewrite -natrM ltr_nat.
Qed.

(** An update rank as large as the state's rank costs more than the matrix itself, however wide the state is. *)
Theorem full_update_rank_never_saves d r : dense_size d r <= factor_size d r r.
Proof. exact: leq_addr. Qed.

(** Where nothing is saved for an update rank, nothing is saved for a larger one. *)
Lemma smaller_update_rank_saves d r r_u r_u' :
  r_u' <= r_u -> factor_size d r r_u < dense_size d r -> factor_size d r r_u' < dense_size d r.
Proof.
by move=> le_u; apply: leq_ltn_trans; rewrite leq_add // leq_mul2l le_u orbT.
Qed.

(** The shipped width d = 256 with the derived update rank min(r, 8). *)
Theorem default_factors_are_smaller_iff r :
  (factor_size 256 r (minn r 8) < dense_size 256 r) = (8 < r).
Proof.
case: (ltnP 8 r) => [lt8r | le_r8]; last first.
  by rewrite ltnNge full_update_rank_never_saves.
rewrite factors_are_smaller_iff mulnDr.
have -> : 256 * r = 8 * r + 248 * r by rewrite -mulnDl.
rewrite addnC ltn_add2l; apply: leq_trans (_ : 248 * 9 <= _) => //.
by rewrite leq_mul2l.
Qed.
