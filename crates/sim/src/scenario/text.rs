//! TOML text → a scenario whose keys are all known.

use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use super::{Published, Scenario, ScenarioError};

/// Reads `text`; `place` names it in messages.
pub(super) fn read(place: &str, text: &str) -> Result<Scenario, ScenarioError> {
    check_keys(place, text)?;
    toml::from_str(text).map_err(|error| ScenarioError::Syntax {
        place: error.span().map_or(place.to_owned(), |span| at(place, text, span.start)),
        message: error.message().to_owned(),
    })
}

/// The most similar of `known`, if any is similar.
pub(super) fn nearest(key: &str, known: &[String]) -> Option<String> {
    let near = known.iter().map(|known| (strsim::jaro_winkler(key, known), known));
    let best = near.max_by(|a, b| a.0.total_cmp(&b.0)).filter(|(score, _)| *score > 0.8);
    best.map(|(_, known)| known.clone())
}

/// Every key of `text` must be one of [`Scenario`].
fn check_keys(place: &str, text: &str) -> Result<(), ScenarioError> {
    // What is not TOML at all is reported with the values.
    let Ok(root) = DeTable::parse(text) else { return Ok(()) };
    let known = Table::try_from(Scenario { published: Some(Published::default()), ..Scenario::default() })
        .unwrap_or_default();
    let top: Vec<String> = known.keys().cloned().collect();
    for (key, value) in root.get_ref() {
        let name: &str = key.get_ref();
        let Some(section) = known.get(name) else {
            return Err(unknown(at(place, text, key.span().start), name, &top));
        };
        let (DeValue::Table(keys), Value::Table(section)) = (value.get_ref(), section) else { continue };
        let full: Vec<String> = section.keys().map(|key| format!("{name}.{key}")).collect();
        for key in keys.keys() {
            let path = format!("{name}.{}", key.get_ref());
            if !full.contains(&path) {
                return Err(unknown(at(place, text, key.span().start), &path, &full));
            }
        }
    }
    Ok(())
}

fn unknown(place: String, key: &str, known: &[String]) -> ScenarioError {
    ScenarioError::UnknownKey { place, key: key.to_owned(), hint: nearest(key, known) }
}

fn at(place: &str, text: &str, offset: usize) -> String {
    let line = 1 + text.as_bytes()[..offset.min(text.len())].iter().filter(|&&byte| byte == b'\n').count();
    format!("{place}:{line}")
}
