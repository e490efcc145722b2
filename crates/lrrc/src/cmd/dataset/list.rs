//! `lrrc dataset list`.

use lrrc_dataset::{Dataset, ReadOptions, shipped};

use super::{grouped, report, table};

/// Lists the shipped data sets.
pub(crate) fn run() -> miette::Result<()> {
    let names = shipped();
    if names.is_empty() {
        return Err(miette::miette!(
            help = "run from the project's folder, or set LRRC_DATASETS to the folder of data sets",
            "no shipped data set found"
        ));
    }
    let mut table = table(["name", "episodes", "groups", "turns", "tokens", "licence"]);
    for name in names {
        let dataset = Dataset::open(&name, &ReadOptions::default()).map_err(report)?;
        let Some(manifest) = dataset.manifest() else { continue };
        let counts = [manifest.episodes, manifest.groups, manifest.turns, manifest.tokens].map(grouped);
        let licence = manifest.provenance.licence.clone();
        table.add_row([name].into_iter().chain(counts).chain([licence]));
    }
    println!("{table}");
    Ok(())
}
