//! The model card: what a checkpoint is, what it was made of, and what it measured, for people.

use std::fmt::Write;

use lrrc_model::Meta;

use crate::checkpoint::Progress;
use crate::config::Config;
use crate::learner::RECALL_BUDGETS;

/// The card of a checkpoint as Markdown.
#[must_use]
pub(crate) fn render(config: &Config, meta: &Meta, progress: &Progress) -> String {
    let model = &config.model;
    let state = if model.use_state { "with state" } else { "no-state control" };
    let mut card = format!(
        "# {name}, rank {rank}\n\n\
         A low-rank recurrent coordinator ({state}): it scores which segments of a conversation an agent still needs. \
         It copies; it writes no text.\n\n\
         | | |\n|---|---|\n\
         | Trained on | {data} |\n\
         | Data hash | `{hash}` |\n\
         | Seed | {seed} |\n\
         | Steps | {step} |\n\
         | Width, rank, update rank, top-k | {d}, {rank}, {r_u}, {k} |\n\
         | Latent prompt | {m} |\n\
         | Gate | at least {g_min} on a written channel |\n\
         | Bound C | {clip} |\n",
        name = config.run.name,
        rank = model.rank,
        data = config.data.datasets.join(", "),
        hash = meta.data_hash,
        seed = meta.seed,
        step = meta.step,
        d = model.width,
        r_u = model.update_rank(),
        k = model.top_k(),
        m = model.prompt_width,
        g_min = model.gate_min,
        clip = model.clip,
    );
    if let Some(last) = progress.epochs.last() {
        let figures = &last.validation;
        // Writing to a string cannot fail.
        let _ = write!(
            card,
            "\n## On the validation episodes, epoch {}\n\nLoss of the scores {:.4}.\n\n\
             | Best-scored share of the candidates | Essential weight among them |\n|---:|---:|\n",
            last.epoch, figures.loss.scores
        );
        for (budget, recall) in RECALL_BUDGETS.iter().zip(figures.recall) {
            let _ = writeln!(card, "| {:.0} % | {recall:.4} |", budget * 100.0);
        }
    }
    card.push_str(
        "\n## Limits\n\nLabels are what the recorded agents reused, found by exact match: a need that is met in other \
         words is not seen. Figures hold for conversations like the training data.\n",
    );
    card
}
