----------------------------- MODULE Coherence -----------------------------
(***************************************************************************)
(* Agents share artifacts.  A home keeps one record an artifact and gives  *)
(* lines; each agent keeps copies and serves reads from them; signals that *)
(* take a line back may come late, twice or never.                         *)
(*                                                                         *)
(* One step is one request that the home accepts (its answer may be lost), *)
(* one signal that is delivered, or one event of the world.  A request     *)
(* that the home refuses changes nothing and is no step.                   *)
(*                                                                         *)
(* A step judges itself: it adds the laws that it broke to `broken`, by    *)
(* looking at what no guard of its own has asked.  So a guard that is left *)
(* out (see Mutant) is seen.                                               *)
(***************************************************************************)
EXTENDS Naturals, FiniteSets

CONSTANTS
  Agents,          \* sessions
  Artifacts,
  NoOne,           \* no agent
  MaxVersion,      \* commits stop here
  MaxGeneration,   \* claims begin and end while the generation is below this
  MaxIncarnation,  \* how often a name may be created
  Bound,           \* ticks for which a copy may be served unconfirmed
  Timed,           \* there are ticks and heartbeats
  Losses,          \* sessions and answers are lost
  Restarts,        \* the home restarts
  Deletes,         \* artifacts are deleted
  Groups,          \* sets of artifacts that one commit_all may write
  MaxMoves,        \* commits and claims of all artifacts together stop here; no bound if no artifact could pass it
  Mutant           \* the rule that is left out; "none" for the protocol

VARIABLES
  mark,       \* home, [artifact]: <<incarnation, version, generation>>; version 0: it does not exist
  claim,      \* home, [artifact]: who has the write claim, or NoOne
  directory,  \* home, [artifact][agent]: "M", "E", "S" or "I"
  up,         \* home: the agents whose session is open
  sent,       \* net, [agent]: all signals ever sent to it; each may come late, again, or never
  missing,    \* net, [agent]: artifacts whose newest signal since the last heartbeat did not come
  valid,      \* agent: artifacts whose copy was not revoked
  seen,       \* agent, [artifact]: the mark of its line
  content,    \* agent, [artifact]: <<incarnation, version>> of the content it read or wrote last
  age,        \* agent: ticks since the feed was confirmed
  behind,     \* ghost, [agent][artifact]: ticks since that content was overwritten
  ended,      \* ghost, [agent]: artifacts whose claim it lost, and it was told of no other since
  broken      \* ghost: names of the laws that were broken

home  == <<mark, claim, directory, up>>
net   == <<sent, missing>>
agent == <<valid, seen, content, age>>
vars  == <<home, net, agent, behind, ended, broken>>

(***************************************************************************)
(* Marks                                                                   *)
(***************************************************************************)
Stamp(m)      == <<m[1], m[2]>>
Later(m, n)   == \/ m[1] > n[1]
                 \/ m[1] = n[1] /\ (m[2] > n[2] \/ (m[2] = n[2] /\ m[3] > n[3]))
NextClaim(m)   == <<m[1], m[2], m[3] + 1>>
NextVersion(m) == <<m[1], m[2] + 1, m[3]>>
\* The mark after the end of a claim.
Fenced(m)      == IF Mutant = "end-keeps-generation" THEN m ELSE NextClaim(m)

Exists(x)    == mark[x][2] > 0
\* Versions and generations of all artifacts together: the bound of a search over several artifacts.
Moves == Cardinality({move \in Artifacts \X (1..(MaxVersion + MaxGeneration)) :
                        move[2] <= mark[move[1]][2] + mark[move[1]][3]})
Room == MaxMoves >= Cardinality(Artifacts) * (MaxVersion + MaxGeneration) \/ Moves < MaxMoves
MayCommit(x) == Exists(x) /\ mark[x][2] < MaxVersion /\ Room
MayClaim(x)  == mark[x][3] < MaxGeneration /\ Room
Owning       == {"M", "E"}
Owners(x)    == {b \in Agents : directory[x][b] \in Owning}
Sharers(x, a) == {b \in Agents : b # a /\ directory[x][b] # "I"}
\* What its end raises the fence for: a claim, or the exclusive line of a reader.
Rights(a)    == {x \in Artifacts : claim[x] = a \/ directory[x][a] \in Owning}
Only(a, line) == [b \in Agents |-> IF b = a THEN line ELSE "I"]

Current(a, x)  == content[a][x] = Stamp(mark[x]) /\ Exists(x)
Readable(a, x) == x \in valid[a] /\
  (content[a][x] = Stamp(seen[a][x]) \/ Mutant = "claim-revives-old-content")
Revokes(a, s)  == s[1] \in valid[a] /\ (Later(s[2], seen[a][s[1]]) \/ Mutant = "no-zombie-rule")

(***************************************************************************)
(* Signals: <<artifact, mark>>.                                            *)
(***************************************************************************)
\* `it` is put into the boxes of those in `to`.
With(box, to, it) == [b \in Agents |-> IF b \in to THEN box[b] \union {it} ELSE box[b]]
Told(rule, agents) == IF Mutant = rule THEN {} ELSE agents
Missed(to, x) == IF Timed THEN With(missing, to, x) ELSE missing
Newest(a, s) == \A z \in sent[a] : z[1] = s[1] => ~Later(z[2], s[2])

Broke(name, kept) == IF kept THEN {} ELSE {name}

Init ==
  /\ mark      = [x \in Artifacts |-> <<0, 0, 0>>]
  /\ claim     = [x \in Artifacts |-> NoOne]
  /\ directory = [x \in Artifacts |-> [a \in Agents |-> "I"]]
  /\ up        = Agents
  /\ sent      = [a \in Agents |-> {}]
  /\ missing   = [a \in Agents |-> {}]
  /\ valid     = [a \in Agents |-> {}]
  /\ seen      = [a \in Agents |-> [x \in Artifacts |-> <<0, 0, 0>>]]
  /\ content   = [a \in Agents |-> [x \in Artifacts |-> <<0, 0>>]]
  /\ age       = [a \in Agents |-> 0]
  /\ behind    = [a \in Agents |-> [x \in Artifacts |-> 0]]
  /\ ended     = [a \in Agents |-> {}]
  /\ broken    = {}

(***************************************************************************)
(* Requests.  Without an answer the agent does not know what happened: it  *)
(* drops its copy and keeps what it had been told before, so that a later  *)
(* commit of it is a commit that comes late.                               *)
(***************************************************************************)
Answers == IF Losses THEN BOOLEAN ELSE {TRUE}
Unsure(a, xs) == IF Mutant = "unknown-outcome-keeps-copy" THEN valid[a] ELSE valid[a] \ xs

Create == \E a \in up, x \in Artifacts :
  /\ ~Exists(x) /\ mark[x][1] < MaxIncarnation
  /\ mark'      = [mark EXCEPT ![x] =
       IF Mutant = "recreated-under-old-incarnation" /\ @[1] > 0 THEN <<@[1], 1, 0>> ELSE <<@[1] + 1, 1, 0>>]
  /\ directory' = [directory EXCEPT ![x][a] = "E"]
  /\ valid'     = [valid EXCEPT ![a] = @ \union {x}]
  /\ seen'      = [seen EXCEPT ![a][x] = mark'[x]]
  /\ content'   = [content EXCEPT ![a][x] = Stamp(mark'[x])]
  /\ behind'    = [behind EXCEPT ![a][x] = 0]
  /\ ended'     = [ended EXCEPT ![a] = @ \ {x}]
  /\ UNCHANGED <<claim, up, sent, missing, age, broken>>

\* A reader makes the exclusive line of another a shared one; a claim stays.
Read == \E a \in up, x \in Artifacts :
  /\ Exists(x)
  /\ directory' = [directory EXCEPT ![x] = [b \in Agents |->
       IF b # a THEN IF @[b] \in Owning THEN "S" ELSE @[b]
       ELSE IF @[a] \in Owning THEN @[a] ELSE IF Sharers(x, a) = {} THEN "E" ELSE "S"]]
  /\ \E answered \in Answers :
       /\ valid'   = [valid EXCEPT ![a] = IF answered THEN @ \union {x} ELSE Unsure(a, {x})]
       /\ seen'    = IF answered THEN [seen EXCEPT ![a][x] = mark[x]] ELSE seen
       /\ content' = IF answered THEN [content EXCEPT ![a][x] = Stamp(mark[x])] ELSE content
       /\ behind'  = IF answered THEN [behind EXCEPT ![a][x] = 0] ELSE behind
       /\ ended'   = IF answered THEN [ended EXCEPT ![a] = @ \ {x}] ELSE ended
  /\ UNCHANGED <<mark, claim, up, sent, missing, age, broken>>

ReadHit == \E a \in Agents, x \in Artifacts :
  /\ content[a][x][2] > 0
  /\ Readable(a, x) \/ Mutant = "hit-on-invalid"
  /\ age[a] <= Bound \/ Mutant = "no-age-bound"
  /\ broken' = broken \union Broke("BoundedStaleness", behind[a][x] <= Bound)
  /\ UNCHANGED <<mark, claim, directory, up, sent, missing, valid, seen, content, age, behind, ended>>

\* The claim brings no content: what the agent read before is readable if it is the newest.
Acquire == \E a \in up, x \in Artifacts :
  /\ Exists(x)
  /\ claim[x] \in {NoOne, a} \/ Mutant = "claim-is-shared"
  /\ \/ /\ claim[x] = a /\ directory[x][a] \in Owning
        /\ UNCHANGED <<mark, claim, directory, sent, missing>>
     \/ /\ ~(claim[x] = a /\ directory[x][a] \in Owning) /\ MayClaim(x)
        /\ mark'      = [mark EXCEPT ![x] = NextClaim(@)]
        /\ claim'     = [claim EXCEPT ![x] = a]
        /\ directory' = [directory EXCEPT ![x] =
             IF Mutant = "claim-is-shared" THEN [directory[x] EXCEPT ![a] = "E"]
             ELSE Only(a, IF directory[x][a] = "M" THEN "M" ELSE "E")]
        /\ sent'    = With(sent, Told("acquire-without-signals", Sharers(x, a)), <<x, NextClaim(mark[x])>>)
        /\ missing' = Missed(Told("acquire-without-signals", Sharers(x, a)), x)
  /\ \E answered \in Answers :
       IF answered
       THEN /\ valid' = [valid EXCEPT ![a] = @ \union {x}]
            /\ seen'  = [seen EXCEPT ![a][x] = mark'[x]]
            /\ ended' = [ended EXCEPT ![a] = @ \ {x}]
       ELSE /\ valid' = [valid EXCEPT ![a] = Unsure(a, {x})]
            /\ UNCHANGED <<seen, ended>>
  /\ UNCHANGED <<up, content, age, behind, broken>>

(***************************************************************************)
(* Writes.  The home compares the generation and the version that came     *)
(* with the request in the step in which it writes.                        *)
(***************************************************************************)
PassesFence(a, x) == seen[a][x][3] = mark[x][3] \/ Mutant = "no-fence"
PassesBase(a, x)  == content[a][x] = Stamp(mark[x]) \/ Mutant = "commit-on-stale-base"
Lands(a, x) ==
  /\ MayCommit(x) /\ content[a][x][1] = mark[x][1]
  /\ PassesFence(a, x)
  /\ claim[x] = a \/ directory[x][a] \in Owning
  /\ PassesBase(a, x)

BrokenByWrite(a, xs) ==
         Broke("Fence", ended[a] \intersect xs = {})
  \union Broke("NoLostUpdate", \A x \in xs : Current(a, x))

Commit == \E a \in Agents, x \in Artifacts :
  /\ Lands(a, x)
  /\ mark'      = [mark EXCEPT ![x] = NextVersion(@)]
  /\ claim'     = [claim EXCEPT ![x] = a]
  /\ directory' = [directory EXCEPT ![x] = Only(a, "M")]
  /\ sent'    = With(sent, Told("commit-without-signals", Sharers(x, a)), <<x, NextVersion(mark[x])>>)
  /\ missing' = Missed(Told("commit-without-signals", Sharers(x, a)), x)
  /\ \E answered \in Answers :
       /\ valid'   = [valid EXCEPT ![a] = IF answered THEN @ \union {x} ELSE Unsure(a, {x})]
       /\ seen'    = IF answered THEN [seen EXCEPT ![a][x] = mark'[x]] ELSE seen
       /\ content' = IF answered THEN [content EXCEPT ![a][x] = Stamp(NextVersion(mark[x]))] ELSE content
       /\ behind'  = IF answered THEN [behind EXCEPT ![a][x] = 0] ELSE behind
  /\ broken' = broken \union BrokenByWrite(a, {x})
  /\ UNCHANGED <<up, age, ended>>

CommitCas == \E a \in Agents, x \in Artifacts :
  /\ MayCommit(x)
  /\ content[a][x] = Stamp(mark[x])
     \/ (Mutant = "cas-ignores-version" /\ content[a][x][1] = mark[x][1])
  /\ claim[x] \in {NoOne, a} \/ Mutant = "cas-over-claim"
  /\ claim[x] = a => MayClaim(x)
  /\ mark'      = [mark EXCEPT ![x] = IF claim[x] = a THEN NextClaim(NextVersion(@)) ELSE NextVersion(@)]
  /\ claim'     = [claim EXCEPT ![x] = IF @ = a THEN NoOne ELSE @]
  /\ directory' = [directory EXCEPT ![x] = Only(a, "S")]
  /\ sent'    = With(sent, Told("commit-without-signals", Sharers(x, a)), <<x, mark'[x]>>)
  /\ missing' = Missed(Told("commit-without-signals", Sharers(x, a)), x)
  /\ \E answered \in Answers :
       /\ valid'   = [valid EXCEPT ![a] = IF answered THEN @ \union {x} ELSE Unsure(a, {x})]
       /\ seen'    = IF answered THEN [seen EXCEPT ![a][x] = mark'[x]] ELSE seen
       /\ content' = IF answered THEN [content EXCEPT ![a][x] = Stamp(NextVersion(mark[x]))] ELSE content
       /\ behind'  = IF answered THEN [behind EXCEPT ![a][x] = 0] ELSE behind
  /\ broken' = broken \union Broke("NoLostUpdate", Current(a, x))
  /\ UNCHANGED <<up, age, ended>>

\* All of xs are written under claims, or none.
Written(a, xs) == IF Mutant = "partial-commit-all" THEN {y \in xs : Lands(a, y)} ELSE xs
CommitAll == \E a \in Agents, xs \in Groups :
  /\ Written(a, xs) # {} /\ \A y \in Written(a, xs) : Lands(a, y)
  /\ mark'      = [y \in Artifacts |-> IF y \in Written(a, xs) THEN NextVersion(mark[y]) ELSE mark[y]]
  /\ claim'     = [y \in Artifacts |-> IF y \in Written(a, xs) THEN a ELSE claim[y]]
  /\ directory' = [y \in Artifacts |-> IF y \in Written(a, xs) THEN Only(a, "M") ELSE directory[y]]
  /\ sent'      = [b \in Agents |-> sent[b] \union
       {<<y, NextVersion(mark[y])>> : y \in {z \in Written(a, xs) : b \in Sharers(z, a)}}]
  /\ missing'   = IF Timed THEN [b \in Agents |-> missing[b] \union
       {z \in Written(a, xs) : b \in Sharers(z, a)}] ELSE missing
  /\ \E answered \in Answers :
       /\ valid'   = [valid EXCEPT ![a] =
            IF answered THEN @ \union Written(a, xs) ELSE Unsure(a, Written(a, xs))]
       /\ seen'    = IF answered THEN [seen EXCEPT ![a] = [y \in Artifacts |->
            IF y \in Written(a, xs) THEN NextVersion(mark[y]) ELSE seen[a][y]]] ELSE seen
       /\ content' = IF answered THEN [content EXCEPT ![a] = [y \in Artifacts |->
            IF y \in Written(a, xs) THEN Stamp(NextVersion(mark[y])) ELSE content[a][y]]] ELSE content
       /\ behind'  = IF answered THEN [behind EXCEPT ![a] = [y \in Artifacts |->
            IF y \in Written(a, xs) THEN 0 ELSE behind[a][y]]] ELSE behind
  /\ broken' = broken \union BrokenByWrite(a, Written(a, xs))
                \union Broke("NoPartialPublish", Written(a, xs) = xs)
  /\ UNCHANGED <<up, age, ended>>

\* The agent gives up its claim or its copy.
Release == \E a \in Agents, x \in Artifacts :
  /\ directory[x][a] # "I"
  /\ IF x \in Rights(a)
     THEN /\ MayClaim(x)
          /\ mark'  = [mark EXCEPT ![x] = Fenced(@)]
          /\ claim' = [claim EXCEPT ![x] = IF @ = a THEN NoOne ELSE @]
          /\ ended' = [ended EXCEPT ![a] = @ \union {x}]
     ELSE UNCHANGED <<mark, claim, ended>>
  /\ directory' = [directory EXCEPT ![x][a] = "I"]
  /\ valid'     = [valid EXCEPT ![a] = @ \ {x}]
  /\ UNCHANGED <<up, sent, missing, seen, content, age, behind, broken>>

Delete == \E a \in up, x \in Artifacts :
  /\ Deletes /\ Exists(x)
  /\ mark'      = [mark EXCEPT ![x] = <<@[1], 0, 0>>]
  /\ claim'     = [claim EXCEPT ![x] = NoOne]
  /\ directory' = [directory EXCEPT ![x] = [b \in Agents |-> "I"]]
  /\ sent'      = With(sent, Sharers(x, a), <<x, NextClaim(mark[x])>>)
  /\ missing'   = Missed(Sharers(x, a), x)
  /\ ended'     = [b \in Agents |-> IF x \in Rights(b) THEN ended[b] \union {x} ELSE ended[b]]
  /\ valid'     = [valid EXCEPT ![a] = @ \ {x}]
  /\ UNCHANGED <<up, seen, content, age, behind, broken>>

(***************************************************************************)
(* The world                                                               *)
(***************************************************************************)
Deliver == \E a \in Agents : \E s \in sent[a] :
  /\ Revokes(a, s) \/ (s[1] \in missing[a] /\ Newest(a, s))
  /\ missing' = IF Newest(a, s) THEN [missing EXCEPT ![a] = @ \ {s[1]}] ELSE missing
  /\ valid' = IF Revokes(a, s) THEN [valid EXCEPT ![a] = @ \ {s[1]}] ELSE valid
  /\ broken' = broken \union
       Broke("NoZombieRevoke", Revokes(a, s) => directory[s[1]][a] = "I")
  /\ UNCHANGED <<mark, claim, directory, up, sent, seen, content, age, behind, ended>>

\* A lease is over when the home says so: no agent's clock has a part in it.
LeaseOver == \E x \in Artifacts :
  /\ claim[x] # NoOne /\ MayClaim(x)
  /\ mark'      = [mark EXCEPT ![x] = Fenced(@)]
  /\ claim'     = [claim EXCEPT ![x] = NoOne]
  /\ directory' = [directory EXCEPT ![x][claim[x]] = "I"]
  /\ sent'      = With(sent, Told("lease-over-without-signal", {claim[x]}), <<x, NextClaim(mark[x])>>)
  /\ missing'   = Missed(Told("lease-over-without-signal", {claim[x]}), x)
  /\ ended'     = [ended EXCEPT ![claim[x]] = @ \union {x}]
  /\ UNCHANGED <<up, valid, seen, content, age, behind, broken>>

\* The home gives a session up. The agent crashed, or is cut off and goes on: it is told nothing.
AgentLost == \E a \in up :
  /\ Losses /\ \A x \in Rights(a) : MayClaim(x)
  /\ up'        = up \ {a}
  /\ mark'      = [x \in Artifacts |-> IF x \in Rights(a) THEN Fenced(mark[x]) ELSE mark[x]]
  /\ claim'     = [x \in Artifacts |->
       IF claim[x] = a /\ Mutant # "lost-agent-keeps-claim" THEN NoOne ELSE claim[x]]
  /\ directory' = [x \in Artifacts |->
       IF claim[x] = a /\ Mutant = "lost-agent-keeps-claim" THEN directory[x]
       ELSE [directory[x] EXCEPT ![a] = "I"]]
  /\ ended'     = [ended EXCEPT ![a] = @ \union Rights(a)]
  /\ UNCHANGED <<sent, missing, valid, seen, content, age, behind, broken>>

Reconnect == \E a \in Agents \ up :
  /\ up'    = up \union {a}
  /\ valid' = IF Mutant = "reconnect-keeps-copies" THEN valid ELSE [valid EXCEPT ![a] = {}]
  /\ missing' = [missing EXCEPT ![a] = {}]
  /\ age'   = [age EXCEPT ![a] = 0]
  /\ UNCHANGED <<mark, claim, directory, sent, seen, content, behind, ended, broken>>

\* Holders live in memory and are forgotten; the epoch, upper half of the generation, moves.
Restart ==
  /\ Restarts /\ \A x \in Artifacts : Exists(x) => MayClaim(x)
  /\ up'        = {}
  /\ mark'      = [x \in Artifacts |-> IF Exists(x) THEN Fenced(mark[x]) ELSE mark[x]]
  /\ claim'     = [x \in Artifacts |-> NoOne]
  /\ directory' = [x \in Artifacts |-> [a \in Agents |-> "I"]]
  /\ ended'     = [a \in Agents |-> ended[a] \union Rights(a)]
  /\ UNCHANGED <<sent, missing, valid, seen, content, age, behind, broken>>

Tick ==
  /\ Timed
  /\ age'    = [a \in Agents |-> IF age[a] > Bound THEN age[a] ELSE age[a] + 1]
  /\ behind' = [a \in Agents |-> [x \in Artifacts |->
       IF content[a][x][2] = 0 \/ Current(a, x) THEN 0
       ELSE IF behind[a][x] > Bound THEN behind[a][x] ELSE behind[a][x] + 1]]
  /\ UNCHANGED <<mark, claim, directory, up, sent, missing, valid, seen, content, ended, broken>>

\* A heartbeat counts the signals that were sent: an agent that misses one has lost its feed.
Heartbeat == \E a \in up :
  /\ Timed
  /\ age'   = [age EXCEPT ![a] = 0]
  /\ valid' = IF missing[a] = {} \/ Mutant = "gap-unnoticed" THEN valid ELSE [valid EXCEPT ![a] = {}]
  /\ missing' = [missing EXCEPT ![a] = {}]
  /\ UNCHANGED <<mark, claim, directory, up, sent, seen, content, behind, ended, broken>>

Next ==
  \/ Create \/ Read \/ ReadHit \/ Acquire
  \/ Commit \/ CommitCas \/ CommitAll \/ Release \/ Delete
  \/ Deliver \/ LeaseOver \/ AgentLost \/ Reconnect \/ Restart \/ Tick \/ Heartbeat

Spec == Init /\ [][Next]_vars

(***************************************************************************)
(* Laws                                                                    *)
(***************************************************************************)
TypeOK ==
  /\ \A x \in Artifacts :
       /\ mark[x][1] <= MaxIncarnation /\ mark[x][2] <= MaxVersion /\ mark[x][3] <= MaxGeneration
       /\ claim[x] \in Agents \union {NoOne}
       /\ \A a \in Agents : directory[x][a] \in {"M", "E", "S", "I"}
  /\ \A a \in Agents : valid[a] \subseteq Artifacts /\ age[a] <= Bound + 1

SingleWriter == \A x \in Artifacts :
  /\ Cardinality(Owners(x)) <= 1
  /\ Owners(x) # {} => \A a \in Agents : directory[x][a] # "S"
  /\ claim[x] # NoOne => Owners(x) \subseteq {claim[x]} /\ directory[x][claim[x]] # "I"

NoLostUpdate     == "NoLostUpdate" \notin broken
Fence            == "Fence" \notin broken
NoZombieRevoke   == "NoZombieRevoke" \notin broken
NoPartialPublish == "NoPartialPublish" \notin broken
BoundedStaleness == "BoundedStaleness" \notin broken

\* A copy that may be served is the newest and known at home, or a signal against it was sent.
NoSilentStaleness == \A a \in up : \A x \in valid[a] :
  \/ ~Readable(a, x)
  \/ Current(a, x) /\ directory[x][a] # "I"
  \/ \E s \in sent[a] : s[1] = x /\ Later(s[2], seen[a][x])

\* Nobody who is lost may write.
NoOrphanClaim == \A x \in Artifacts :
  claim[x] \in up \union {NoOne} /\ Owners(x) \subseteq up

\* Marks only grow; a version follows the one before it; each life is a new incarnation.
MonotoneVersions == [][\A x \in Artifacts :
  \/ mark'[x] = mark[x]
  \/ mark'[x][2] = 0 /\ mark'[x][1] = mark[x][1]
  \/ /\ Later(mark'[x], mark[x])
     /\ \/ mark'[x][1] = mark[x][1] /\ mark[x][2] > 0 /\ mark'[x][2] <= mark[x][2] + 1
        \/ mark'[x][1] > mark[x][1] /\ mark[x][2] = 0 /\ mark'[x][2] = 1]_vars

(***************************************************************************)
(* Two states with one view have the same future, up to numbers.  Marks    *)
(* only grow, so a copy that is not the newest, a token that is not the    *)
(* present one and a signal that is no longer newer stay so for ever, and  *)
(* which one it was does not matter.                                       *)
(***************************************************************************)
View == <<
  mark, claim, directory, up, missing, valid, age, behind, ended, broken,
  [a \in Agents |-> {x \in Artifacts : Current(a, x)}],
  [a \in Agents |-> {x \in Artifacts : Readable(a, x)}],
  [a \in Agents |-> {x \in Artifacts : content[a][x][1] = mark[x][1] /\ seen[a][x][3] = mark[x][3]}],
  [a \in Agents |-> {<<s[1], Newest(a, s)>> : s \in {z \in sent[a] : Revokes(a, z)}}] >>
=============================================================================
