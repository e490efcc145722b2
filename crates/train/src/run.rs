//! One request → one run: configuration, folder, data, the loop, the control, the finished checkpoint.
//!
//! ```text
//! runs/name-seed/
//!   config.toml  environment.json  data.json        what, where, on what
//!   metrics.jsonl  events.out.tfevents.0            every step and epoch
//!   loss.svg  recall.svg  state.svg                 curves
//!   checkpoints/last  checkpoints/best              to train on from
//!   control/                                        the same for the no-state control
//!   model/                                          the finished checkpoint: best weights, control inside
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use burn::module::Module;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use lrrc_model::{Checkpoint, device, write_atomic};
use serde_json::json;

use crate::calibrate::calibrate;
use crate::checkpoint;
use crate::config::Config;
use crate::data::Data;
use crate::environment;
use crate::error::{ConfigError, TrainError};
use crate::fit::{Effects, Ending, Outcome, fit, steps_per_epoch};
use crate::parallel::threads;

/// What the card of a refitted model says besides.
const REFIT_NOTE: &str = "\n## Refit\n\nThe figures above, and the thresholds of the frozen modes, are those of the run \
    that chose the number of epochs on validation episodes it had not seen. These weights were then learned anew, for \
    as many epochs, from the training and the validation episodes together.\n";

/// Configurations that are part of the program, by name.
pub const PRESETS: [(&str, &str); 4] = [
    ("quickstart", include_str!("../../../configs/train/quickstart.toml")),
    ("default", include_str!("../../../configs/train/default.toml")),
    ("paper", include_str!("../../../configs/train/paper.toml")),
    ("winner", include_str!("../../../configs/train/winner.toml")),
];

/// What the user asks for.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// A file or the name of a preset; `None` means `default`, or when resuming the run's own configuration.
    pub config: Option<String>,
    /// `table.key=value`, laid over the file.
    pub set: Vec<String>,
    /// Go on with a run: its folder, or `last` for the newest run of this name and seed.
    pub resume: Option<String>,
}

/// A run about to start.
#[derive(Debug)]
pub struct Run {
    /// The experiment.
    pub config: Config,
    /// Its folder.
    pub dir: PathBuf,
    /// Its data.
    pub data: Data,
    resume: bool,
}

impl Run {
    /// Resolves the configuration, finds the folder, and reads the data. Nothing is written.
    ///
    /// # Errors
    /// Whatever is wrong with the configuration, the run to resume, or the data.
    pub fn prepare(request: &Request) -> Result<Self, TrainError> {
        let (config, dir) = match &request.resume {
            Some(which) => resumed(request, which)?,
            None => {
                let config = configured(request)?;
                let dir = unused(&config);
                (config, dir)
            }
        };
        device(&config.run.device)?;
        let data = Data::load(&config.data, threads(config.run.workers))?;
        Ok(Self { config, dir, data, resume: request.resume.is_some() })
    }

    /// A run in the folder `dir`, gone on with if it holds a checkpoint of the same configuration.
    ///
    /// # Errors
    /// As [`Run::prepare`].
    pub fn at(config: Config, dir: PathBuf) -> Result<Self, TrainError> {
        let known = fs::read_to_string(dir.join("config.toml"));
        let same = known.is_ok_and(|text| text == config.to_toml());
        let resume = same && dir.join("checkpoints").join("last").exists();
        let data = Data::load(&config.data, threads(config.run.workers))?;
        Ok(Self { config, dir, data, resume })
    }

    /// What would be run: configuration, parameters, data, steps.
    ///
    /// # Errors
    /// A configuration that no model can have.
    pub fn describe(&self) -> Result<String, TrainError> {
        let Self { config, data, .. } = self;
        let model = config.model.init(config.run.seed, &device("cpu")?).map_err(ConfigError::from)?;
        let episodes = |side: &[lrrc_episode::observe::EpisodeObservation]| {
            let decisions: usize = side.iter().map(|episode| episode.decisions.len()).sum();
            let pairs = side.iter().flat_map(|episode| &episode.decisions);
            let pairs: usize = pairs.map(|decision| decision.candidates.len()).sum();
            format!("{} episodes, {decisions} decisions, {pairs} candidates", side.len())
        };
        let per_epoch = steps_per_epoch(config, data.train.len());
        Ok(format!(
            "{toml}\n# folder      {dir}\n# parameters  {parameters}\n# train       {train}\n\
             # validation  {validation}\n# steps       {per_epoch} an epoch, at most {steps}\n",
            toml = config.to_toml(),
            dir = self.dir.display(),
            parameters = model.num_params(),
            train = episodes(&data.train),
            validation = episodes(&data.validation),
            steps = per_epoch * config.optim.epochs as u64,
        ))
    }

    /// Trains; with `run.control`, then the no-state control; then writes the finished checkpoint.
    ///
    /// # Errors
    /// As [`fit`].
    pub fn execute(&self, stop: &AtomicBool, quiet: bool) -> Result<Outcome, TrainError> {
        let dir = &self.dir;
        fs::create_dir_all(dir).map_err(at(dir))?;
        self.note("config.toml", self.config.to_toml().as_bytes())?;
        let environment = serde_json::to_vec_pretty(&environment::capture(&self.config));
        self.note("environment.json", &environment.unwrap_or_default())?;
        let data = json!({ "hash": self.data.hash, "sources": self.data.sources });
        self.note("data.json", &serde_json::to_vec_pretty(&data).unwrap_or_default())?;

        let mut outcome = self.learn(&self.config, dir, "train", stop, quiet)?;
        let mut control = None;
        if self.config.run.control && outcome.ending != Ending::Interrupted {
            let mut config = self.config.clone();
            config.model.use_state = false;
            config.run.name = format!("{} control", config.run.name);
            let inner = self.learn(&config, &dir.join("control"), "control", stop, quiet)?;
            if inner.ending == Ending::Interrupted {
                outcome.ending = Ending::Interrupted;
            }
            control = Some(dir.join("control"));
        }
        if outcome.ending != Ending::Interrupted {
            outcome.checkpoint = self.finish(dir, control.as_deref())?;
        }
        Ok(outcome)
    }

    /// Trains and, where the configuration asks for it, learns again from all episodes for as many epochs as were
    /// best.
    fn learn(
        &self,
        config: &Config,
        dir: &Path,
        name: &str,
        stop: &AtomicBool,
        quiet: bool,
    ) -> Result<Outcome, TrainError> {
        let mut outcome = self.train(config, &self.data, dir, name, stop, quiet)?;
        if let (true, Some((epochs, _))) = (config.data.refit, outcome.best)
            && outcome.ending != Ending::Interrupted
        {
            let mut config = config.clone();
            config.optim.epochs = epochs;
            config.optim.patience = 0;
            let mut data = self.data.clone();
            data.train.extend(data.validation.iter().cloned());
            outcome.ending = self.train(&config, &data, &dir.join("refit"), "refit", stop, quiet)?.ending;
        }
        Ok(outcome)
    }

    fn train(
        &self,
        config: &Config,
        data: &Data,
        dir: &Path,
        name: &str,
        stop: &AtomicBool,
        quiet: bool,
    ) -> Result<Outcome, TrainError> {
        fs::create_dir_all(dir.join("checkpoints")).map_err(at(dir))?;
        let resume = self.resume && dir.join("checkpoints").join("last").exists();
        let bar = bar(name, steps_per_epoch(config, data.train.len()) * config.optim.epochs as u64, quiet);
        let effects = Effects {
            stop,
            on_step: &|record| bar.set_position(record.step),
            on_epoch: &|record| {
                let scores = &record.validation;
                bar.set_message(format!(
                    "epoch {}: loss {:.4}, kept at 20 % {:.3}",
                    record.epoch, scores.loss.scores, scores.recall[1]
                ));
            },
        };
        let outcome = fit(config, data, dir, resume, &effects);
        match &outcome {
            Ok(_) => bar.finish(),
            Err(_) => bar.abandon(),
        }
        outcome
    }

    /// Best weights, calibrated, and control as one checkpoint folder.
    fn finish(&self, dir: &Path, control: Option<&Path>) -> Result<PathBuf, TrainError> {
        let mut checkpoint = self.chosen(dir)?;
        if let Some(control) = control {
            checkpoint.control = Some(Box::new(self.chosen(control)?));
        }
        let dir = self.dir.join("model");
        checkpoint.save(&dir)?;
        Ok(dir)
    }

    /// The best checkpoint of a run with its thresholds. After a refit, the refitted weights with the figures and
    /// the thresholds of the best checkpoint, since those were measured on episodes that it had not seen.
    fn chosen(&self, dir: &Path) -> Result<Checkpoint, TrainError> {
        let device = device("cpu")?;
        let mut best = Checkpoint::load(&dir.join("checkpoints").join("best"), &device)?;
        calibrate(&mut best, &self.config.data)?;
        if !self.config.data.refit {
            return Ok(best);
        }
        let last = dir.join("refit").join("checkpoints").join("last");
        let (mut refit, moments, _) = checkpoint::load(&last, &device)?;
        refit.model = moments.averaged(&refit.model);
        refit.meta.metrics = best.meta.metrics;
        refit.meta.calibration = best.meta.calibration;
        refit.card = format!("{}{REFIT_NOTE}", best.card);
        Ok(refit)
    }

    fn note(&self, name: &str, bytes: &[u8]) -> Result<(), TrainError> {
        Ok(write_atomic(&self.dir.join(name), bytes)?)
    }
}

/// The configuration of a request that starts anew.
fn configured(request: &Request) -> Result<Config, TrainError> {
    let (place, text) = configuration_text(request.config.as_deref().unwrap_or("default"))?;
    Ok(Config::resolve(&place, &text, &request.set)?)
}

/// Place and text of a preset or a file.
pub(crate) fn configuration_text(name: &str) -> Result<(String, String), ConfigError> {
    if let Some((_, text)) = PRESETS.iter().find(|(preset, _)| *preset == name) {
        return Ok((name.to_owned(), (*text).to_owned()));
    }
    let text = fs::read_to_string(name).map_err(|error| ConfigError::Read {
        path: name.into(),
        reason: match error.kind() {
            std::io::ErrorKind::NotFound => {
                format!("{error}; presets are {}", PRESETS.map(|(preset, _)| preset).join(", "))
            }
            _ => error.to_string(),
        },
    })?;
    Ok((name.to_owned(), text))
}

/// The configuration and the folder of the run to go on with.
fn resumed(request: &Request, which: &str) -> Result<(Config, PathBuf), TrainError> {
    let fault = |reason: String| TrainError::Resume { reason };
    let dir = if which == "last" {
        let config = configured(request)?;
        let newest = folders(&config).filter(|dir| dir.join("checkpoints").join("last").exists()).last();
        newest.ok_or_else(|| {
            fault(format!(
                "no run {}-{} with a checkpoint in {}",
                config.run.name, config.run.seed, config.run.dir
            ))
        })?
    } else {
        PathBuf::from(which)
    };
    let path = dir.join("config.toml");
    let text = fs::read_to_string(&path).map_err(|error| fault(format!("{}: {error}", path.display())))?;
    let own = Config::resolve(&path.to_string_lossy(), &text, &[])?;
    if request.config.is_none() && request.set.is_empty() {
        return Ok((own, dir));
    }
    let asked = match &request.config {
        Some(_) => configured(request)?,
        None => Config::resolve(&path.to_string_lossy(), &text, &request.set)?,
    };
    let differences = own.differences(&asked);
    if !differences.is_empty() {
        let reason =
            format!("{} was run with another configuration: {}", dir.display(), differences.join("; "));
        return Err(fault(reason));
    }
    Ok((asked, dir))
}

/// Existing folders of runs with this name and seed, the newest last.
fn folders(config: &Config) -> impl Iterator<Item = PathBuf> {
    numbered(config).take_while(|dir| dir.exists())
}

fn unused(config: &Config) -> PathBuf {
    numbered(config).find(|dir| !dir.exists()).unwrap_or_default()
}

fn numbered(config: &Config) -> impl Iterator<Item = PathBuf> + use<> {
    let (dir, name) = (PathBuf::from(&config.run.dir), format!("{}-{}", config.run.name, config.run.seed));
    (1..).map(move |number| dir.join(if number == 1 { name.clone() } else { format!("{name}-{number}") }))
}

fn bar(name: &str, steps: u64, quiet: bool) -> ProgressBar {
    let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bar = ProgressBar::with_draw_target(Some(steps), target);
    let style = "{prefix:>8} {wide_bar} {pos}/{len} steps, at most {eta} left  {msg}";
    bar.set_style(ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_prefix(name.to_owned());
    bar
}

fn at(path: &Path) -> impl Fn(std::io::Error) -> TrainError + '_ {
    move |source| TrainError::Io { path: path.into(), source, hint: String::new() }
}
