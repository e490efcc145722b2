//! `lrrc report`: a study as one page of HTML.

use std::path::{Path, PathBuf};

use clap::Args;
use lrrc_eval::html::page;
use lrrc_eval::study::Study;
use lrrc_model::CoordinatorConfig;
use miette::{IntoDiagnostic, WrapErr, miette};

/// Write the report of a sweep: one HTML file with figures, tables, failures and negative results.
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// The study that `lrrc sweep collect` or `lrrc reproduce` wrote.
    #[arg(long, value_name = "FILE")]
    study: PathBuf,
    /// The page; the SVG and CSV of each figure go into the folder `figures` beside it. Without it, report.html beside
    /// the study.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Rank of the coordinator that Figure 1 shows.
    #[arg(long, default_value_t = CoordinatorConfig::default().rank)]
    rank: usize,
}

/// Runs the command.
pub(crate) fn run(args: &ReportArgs) -> miette::Result<()> {
    let study = read(&args.study)?;
    let config = CoordinatorConfig { rank: args.rank, ..CoordinatorConfig::default() };
    config.validate().into_diagnostic()?;
    let out = args.out.clone().unwrap_or_else(|| args.study.with_file_name("report.html"));
    write(&study, &config, &out)
}

/// Writes the page and, in the folder `figures` beside it, its figures.
pub(crate) fn write(study: &Study, config: &CoordinatorConfig, out: &Path) -> miette::Result<()> {
    let page = page(study, config).into_diagnostic()?;
    let folder = out.parent().unwrap_or(Path::new("")).join("figures");
    let place = || folder.display().to_string();
    std::fs::create_dir_all(&folder).into_diagnostic().wrap_err_with(place)?;
    for (name, text) in &page.files {
        crate::output::write(&folder.join(name), text.as_bytes())?;
    }
    crate::output::write(out, page.html.as_bytes())?;
    println!("{}, and {} files of its figures in {}", out.display(), page.files.len(), place());
    Ok(())
}

fn read(path: &Path) -> miette::Result<Study> {
    let place = path.display();
    let help = "`lrrc sweep collect DIR --out FILE` and `lrrc reproduce` write a study";
    let bytes = std::fs::read(path).map_err(|error| miette!(help = help, "{place}: {error}"))?;
    let help = "run `lrrc sweep collect` of this version again: it needs the folders of the trials only";
    Study::from_json(&bytes).map_err(|error| miette!(help = help, "{place}: {error}"))
}
