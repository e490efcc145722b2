//! The arrows between crates, checked against the picture in ARCHITECTURE.md.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use super::assert_none;
use super::source::root;

/// Opens the block that is both the picture and the law.
const FENCE: &str = "```arrows\n";
/// Ends the line of a room that is not built.
const PLANNED: &str = "(planned)";

/// One room of the picture.
#[derive(Clone, Debug, Default, PartialEq)]
struct Room {
    floor: u32,
    arrows: BTreeSet<String>,
    planned: bool,
}

/// The picture: rooms by name, and who may compile Burn.
#[derive(Debug, Default)]
struct Picture {
    rooms: BTreeMap<String, Room>,
    burn: BTreeSet<String>,
}

impl Picture {
    /// Reads the block of lines `floor room -> room room (planned)`, and `burn -> room room`.
    fn parse(text: &str) -> Self {
        let (_, rest) = text.split_once(FENCE).expect("ARCHITECTURE.md has an arrows block");
        let (block, _) = rest.split_once("```").expect("the arrows block is closed");
        let mut picture = Self::default();
        for line in block.lines().filter(|line| !line.trim().is_empty()) {
            let planned = line.trim_end().ends_with(PLANNED);
            let (left, right) = line.split_once("->").unwrap_or((line, ""));
            let words = |side: &str| {
                side.replace(PLANNED, "").split_whitespace().map(str::to_owned).collect::<Vec<_>>()
            };
            let arrows = words(right).into_iter().collect();
            match words(left).as_slice() {
                [burn] if burn == "burn" => picture.burn = arrows,
                [floor, name] => {
                    let floor = floor.parse().expect("a line starts with its floor");
                    picture.rooms.insert(name.clone(), Room { floor, arrows, planned });
                }
                _ => panic!("not a line of the arrows block: {line}"),
            }
        }
        picture
    }

    /// Arrows of the picture itself that do not point to a lower floor.
    fn climbing(&self) -> Vec<String> {
        let arrows =
            self.rooms.iter().flat_map(|(name, room)| room.arrows.iter().map(move |to| (name, room, to)));
        let climbs =
            arrows.filter(|(_, room, to)| self.rooms.get(*to).is_none_or(|below| below.floor >= room.floor));
        climbs.map(|(name, _, to)| format!("{name} -> {to} does not point down")).collect()
    }

    /// What the manifest of a crate has that the picture does not.
    fn strangers(&self, name: &str, manifest: &toml::Table) -> Vec<String> {
        let Some(room) = self.rooms.get(name) else {
            return vec![format!("{name} is not in the picture")];
        };
        let wanted = dependencies(manifest);
        let own = wanted.iter().filter_map(|d| d.strip_prefix("lrrc-"));
        let mut found: Vec<_> = own
            .filter(|to| !room.arrows.contains(*to))
            .map(|to| format!("{name} -> {to} is not an arrow"))
            .collect();
        let burns = wanted.iter().any(|d| d == "burn" || d.starts_with("burn-"));
        if burns && !self.burn.contains(name) {
            found.push(format!("{name} compiles Burn"));
        }
        if room.planned {
            found.push(format!("{name} stands, and the picture calls it planned"));
        }
        found
    }
}

/// Package names of every dependency: normal, for tests, for the build, and for one target.
fn dependencies(manifest: &toml::Table) -> BTreeSet<String> {
    let mut tables = vec![manifest];
    let targets = manifest.get("target").and_then(toml::Value::as_table);
    tables.extend(targets.into_iter().flat_map(|t| t.values()).filter_map(toml::Value::as_table));
    let kinds = ["dependencies", "dev-dependencies", "build-dependencies"];
    let listed = tables.iter().flat_map(|table| kinds.iter().filter_map(|kind| table.get(*kind)?.as_table()));
    let name = |(key, value): (&String, &toml::Value)| {
        value.get("package").and_then(toml::Value::as_str).unwrap_or(key).to_owned()
    };
    listed.flatten().map(name).collect()
}

/// Folder name and manifest of each crate.
fn crates() -> BTreeMap<String, toml::Table> {
    let folders = fs::read_dir(root().join("crates")).expect("crates/ can be listed");
    let read = |folder: fs::DirEntry| {
        let text = fs::read_to_string(folder.path().join("Cargo.toml")).ok()?;
        Some((folder.file_name().into_string().ok()?, text.parse().expect("a manifest is TOML")))
    };
    folders.filter_map(|folder| read(folder.ok()?)).collect()
}

#[test]
fn crates_depend_only_along_the_arrows() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md lies in the root");
    let (picture, crates) = (Picture::parse(&text), crates());
    let mut faults = picture.climbing();
    faults.extend(crates.iter().flat_map(|(name, manifest)| picture.strangers(name, manifest)));
    let built = picture.rooms.iter().filter(|(_, room)| !room.planned).map(|(name, _)| name);
    faults.extend(
        built.filter(|name| !crates.contains_key(*name)).map(|name| format!("{name} does not stand")),
    );
    assert_none("change the picture in ARCHITECTURE.md first, then the code", &faults);
}

#[test]
fn a_crate_is_named_after_its_folder() {
    let name = |manifest: &toml::Table| Some(manifest.get("package")?.get("name")?.as_str()?.to_owned());
    let own = |folder: &str| {
        if matches!(folder, "lrrc" | "xtask") { folder.to_owned() } else { format!("lrrc-{folder}") }
    };
    let crates = crates();
    let odd = crates.iter().filter(|(folder, manifest)| name(manifest) != Some(own(folder)));
    assert_none(
        "folder = name with the prefix lrrc-",
        &odd.map(|(folder, _)| folder.clone()).collect::<Vec<_>>(),
    );
}

#[test]
fn an_arrow_outside_the_picture_is_found() {
    let picture = Picture::parse(
        "text\n```arrows\n2 model -> episode\n1 episode\n2 kv -> episode (planned)\nburn -> model\n```\n",
    );
    assert_eq!(picture.climbing(), Vec::<String>::new());
    let faults = |name: &str, text: &str| picture.strangers(name, &text.parse().expect("a manifest"));
    let clean = "[dependencies]\nlrrc-episode.workspace = true\nburn = \"1\"\n";
    assert_eq!(faults("model", clean), Vec::<String>::new());
    let upward = "[dev-dependencies]\nx = { package = \"lrrc-model\", version = \"1\" }\n[target.'cfg(unix)'.dependencies]\nburn-store = \"1\"\n";
    assert_eq!(faults("episode", upward), ["episode -> model is not an arrow", "episode compiles Burn"]);
    assert_eq!(faults("kv", ""), ["kv stands, and the picture calls it planned"]);
    assert_eq!(faults("types", ""), ["types is not in the picture"]);
    let ring = Picture::parse("```arrows\n1 a -> b\n1 b\n```");
    assert_eq!(ring.climbing(), ["a -> b does not point down"]);
}
