----------------------------- MODULE Symmetric -----------------------------
(***************************************************************************)
(* The protocol for a search in which agents, and artifacts, that change   *)
(* places are the same state.                                              *)
(***************************************************************************)
EXTENDS Coherence, TLC

Symmetry == Permutations(Agents) \union Permutations(Artifacts)
=============================================================================
