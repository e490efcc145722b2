//! Text and overrides → one table whose keys are all known.

use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use super::Config;
use crate::error::ConfigError;

/// Keys without a default value.
const OPTIONAL: [(&str, &str); 2] = [("model", "update_rank"), ("model", "top_k")];
/// Keys of `[run]` that cannot change the weights.
const HARMLESS: [&str; 6] = ["name", "dir", "device", "workers", "checkpoint_steps", "control"];

/// Lays `text` and `overrides` over the defaults.
pub(super) fn resolve(place: &str, text: &str, overrides: &[String]) -> Result<Config, ConfigError> {
    check_keys(place, text)?;
    let syntax = |error: toml::de::Error| ConfigError::Syntax {
        place: error.span().map_or(place.to_owned(), |span| at(place, text, span.start)),
        message: error.message().to_owned(),
    };
    let _: Config = toml::from_str(text).map_err(syntax)?;
    let mut table: Table = toml::from_str(text).map_err(syntax)?;
    let mut config: Config = table.clone().try_into().map_err(syntax)?;
    for text in overrides {
        config = set(&mut table, text)?;
    }
    Ok(config)
}

/// Puts one `table.key=value` into `table`; a value that is not TOML is a string.
fn set(table: &mut Table, text: &str) -> Result<Config, ConfigError> {
    let place = format!("--set {text}");
    let wrong = || ConfigError::Override { text: text.to_owned() };
    let (path, value) = text.split_once('=').ok_or_else(wrong)?;
    let (section, key) = path.trim().split_once('.').ok_or_else(wrong)?;
    let known = known(section).ok_or_else(|| unknown(&place, section, &sections()))?;
    if !known.contains(&key.to_owned()) {
        let full: Vec<String> = known.iter().map(|key| format!("{section}.{key}")).collect();
        return Err(unknown(&place, &format!("{section}.{key}"), &full));
    }
    let value = toml::from_str::<Table>(&format!("value = {}", value.trim()))
        .ok()
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| Value::String(value.trim().to_owned()));
    let section = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
    let Value::Table(section) = section else { return Err(wrong()) };
    section.insert(key.to_owned(), value);
    let config = table.clone().try_into::<Config>();
    config.map_err(|error| ConfigError::Syntax { place, message: error.message().to_owned() })
}

/// Every key of `text` must be one of [`Config`].
fn check_keys(place: &str, text: &str) -> Result<(), ConfigError> {
    // What is not TOML at all is reported with the values.
    let Ok(root) = DeTable::parse(text) else { return Ok(()) };
    for (section, value) in root.get_ref() {
        let here = at(place, text, section.span().start);
        let name = section.get_ref();
        let known = known(name).ok_or_else(|| unknown(&here, name, &sections()))?;
        let DeValue::Table(keys) = value.get_ref() else { continue };
        let full: Vec<String> = known.iter().map(|key| format!("{name}.{key}")).collect();
        for key in keys.keys() {
            let path = format!("{name}.{}", key.get_ref());
            if !full.contains(&path) {
                return Err(unknown(&at(place, text, key.span().start), &path, &full));
            }
        }
    }
    Ok(())
}

fn unknown(place: &str, key: &str, known: &[String]) -> ConfigError {
    let near = known.iter().map(|known| (strsim::jaro_winkler(key, known), known));
    let best = near.max_by(|a, b| a.0.total_cmp(&b.0)).filter(|(score, _)| *score > 0.8);
    ConfigError::UnknownKey {
        place: place.to_owned(),
        key: key.to_owned(),
        hint: best.map(|(_, known)| known.clone()),
    }
}

fn defaults() -> Table {
    Table::try_from(Config::default()).unwrap_or_default()
}

fn sections() -> Vec<String> {
    defaults().keys().cloned().collect()
}

/// Keys of a section.
fn known(section: &str) -> Option<Vec<String>> {
    let Some(Value::Table(table)) = defaults().remove(section) else { return None };
    let optional = OPTIONAL.iter().filter(|(of, _)| *of == section).map(|(_, key)| (*key).to_owned());
    Some(table.keys().cloned().chain(optional).collect())
}

fn at(place: &str, text: &str, offset: usize) -> String {
    let line = 1 + text.as_bytes()[..offset.min(text.len())].iter().filter(|&&byte| byte == b'\n').count();
    format!("{place}:{line}")
}

/// Keys whose values differ, as `table.key: old → new`.
pub(super) fn differences(old: &Config, new: &Config) -> Vec<String> {
    let tables = [old, new].map(|config| Table::try_from(config).unwrap_or_default());
    let mut differences = Vec::new();
    for section in sections() {
        let value = |table: &Table, key: &str| match table.get(&section).and_then(|table| table.get(key)) {
            Some(value) => value.to_string(),
            None => "derived".to_owned(),
        };
        let keys = known(&section).unwrap_or_default();
        for key in keys.iter().filter(|key| section != "run" || !HARMLESS.contains(&key.as_str())) {
            let [old, new] = [0, 1].map(|of| value(&tables[of], key));
            if old != new {
                differences.push(format!("{section}.{key}: {old} → {new}"));
            }
        }
    }
    differences
}
