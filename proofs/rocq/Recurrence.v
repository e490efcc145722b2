(** The recurrence of the coordinator, over any field.

    [S' = S diag(1 - g) + (A B^T) diag(g)] with [A] of d x r_u and [B] of r x r_u: one turn writes the channels whose
    gate is not zero. The code stores the transposes, states by channel [r, d] and left factors by column [r_u, d];
    [step_by_channel] is that layout, line by line what `Cell::step` computes. Arithmetic is exact here and single
    precision there. *)

From mathcomp Require Import all_ssreflect all_algebra.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Import GRing.Theory.
Local Open Scope ring_scope.

Section Recurrence.

Variables (F : fieldType) (d r r_u : nat).

(** Number of gates that are not zero. *)
Definition open_gates n (g : 'rV[F]_n) : nat := #|[pred j | g 0 j != 0]|.

(** What one turn contributes: the factors of its update and its gates. In the code both are computed from the turn
    alone when the gates are in mode `input`. *)
Record turn := Turn {
  left_factor : 'M[F]_(d, r_u);   (* A *)
  right_factor : 'M[F]_(r, r_u);  (* B *)
  gates : 'rV[F]_r                (* g *)
}.

Implicit Types (S : 'M[F]_(d, r)) (t : turn) (ts : seq turn).

(** U = A B^T, before the gates. *)
Definition update t : 'M[F]_(d, r) := left_factor t *m (right_factor t)^T.

Definition step S t : 'M[F]_(d, r) :=
  S *m diag_mx (const_mx 1 - gates t) + update t *m diag_mx (gates t).

(** The state after all turns. *)
Definition run S ts : 'M[F]_(d, r) := foldl step S ts.

(** Channels that a turn writes. *)
Definition active_channels t : nat := open_gates (gates t).

(** Every entry of a channel moves towards its update by the share that the gate says. *)
Lemma step_entry S t i j :
  step S t i j = S i j * (1 - gates t 0 j) + update t i j * gates t 0 j.
Proof. by rewrite /step mxE !mul_mx_diag !mxE. Qed.

(** The layout of the code: `state * (1 - g) + (right @ left) * g`, states [r, d]. *)
Lemma step_by_channel S t j i :
  (step S t)^T j i = S^T j i * (1 - gates t 0 j)
    + (right_factor t *m (left_factor t)^T) j i * gates t 0 j.
Proof.
have -> : right_factor t *m (left_factor t)^T = (update t)^T
  by rewrite /update trmx_mul trmxK.
by rewrite [LHS]mxE step_entry [S^T _ _]mxE [(update t)^T _ _]mxE.
Qed.

End Recurrence.
