//! Long sessions, made of several recorded episodes one after the other.

use std::collections::BTreeMap;

use lrrc_episode::{Agent, Episode, Outcome, Query, Role, Turn};

/// One episode that plays all of these in order: system text that repeats stands once, agents of one name are one
/// agent, and the evidence of queries moves with its turns. The outcome, the verdict of each episode, is left out.
/// `None` where there is nothing to join.
#[must_use]
pub fn join(episodes: &[Episode]) -> Option<Episode> {
    let first = episodes.first()?;
    let names = |of: fn(&Episode) -> &str| episodes.iter().map(of).collect::<Vec<_>>();
    let mut groups = names(|episode| &episode.group);
    groups.sort_unstable();
    groups.dedup();
    let mut session = Episode {
        id: names(|episode| &episode.id).join("+"),
        group: groups.join("+"),
        source: first.source.clone(),
        license: first.license.clone(),
        task: None,
        agents: Vec::new(),
        turns: Vec::new(),
        queries: Vec::new(),
        outcome: Outcome::default(),
    };
    episodes.iter().for_each(|episode| append(&mut session, episode));
    Some(session)
}

fn append(session: &mut Episode, episode: &Episode) {
    let agents: Vec<usize> = episode.agents.iter().map(|agent| agent_index(session, agent)).collect();
    let mut starts: Vec<u32> = Vec::with_capacity(episode.turns.len() + 1);
    for turn in &episode.turns {
        starts.push(session.turns.len() as u32);
        let repeats = |known: &Turn| known.role == Role::System && known.content == turn.content;
        if turn.role != Role::System || !session.turns.iter().any(repeats) {
            session.turns.push(Turn { agent: agents[turn.agent], ..turn.clone() });
        }
    }
    starts.push(session.turns.len() as u32);
    let moved = |(first, last): &(u32, u32)| {
        let (from, to) = (starts[*first as usize], starts[*last as usize + 1]);
        (from < to).then(|| (from, to - 1))
    };
    let queries = episode.queries.iter();
    let queries = queries
        .map(|query| Query { evidence: query.evidence.iter().filter_map(moved).collect(), ..query.clone() });
    session.queries.extend(queries);
}

fn agent_index(session: &mut Episode, agent: &Agent) -> usize {
    let known = session.agents.len();
    let at = session.agent_index(&agent.name);
    if at == known {
        session.agents[at].model.clone_from(&agent.model);
    }
    at
}

/// Sessions of `size` episodes each, by turns from every group, so that neighbours are of different groups. Episodes
/// that do not fill a last session are left out, unless there would be none. A session's group is the set of its
/// groups: where that set comes back, as with 35 tasks of four trials in sessions of five, intervals are sound; where
/// sets overlap, as with 7 tasks, sessions share tasks and intervals are too narrow.
#[must_use]
pub fn sessions(episodes: &[Episode], size: usize) -> Vec<Episode> {
    let mut rounds: BTreeMap<usize, Vec<&Episode>> = BTreeMap::new();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for episode in episodes {
        let round = seen.entry(&episode.group).or_default();
        rounds.entry(*round).or_default().push(episode);
        *round += 1;
    }
    let ordered: Vec<Episode> = rounds.into_values().flatten().cloned().collect();
    let size = size.clamp(1, ordered.len().max(1));
    ordered.chunks_exact(size).filter_map(join).collect()
}
