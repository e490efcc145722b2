//! Contents that say what they were made from, in sections that change one at a time.

use lrrc_coherence::Stamp;

/// Sections of a content beside the one that says where it comes from.
const PARTS: usize = 3;

/// A Markdown text of a head and some parts, each a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Text {
    head: String,
    parts: [String; PARTS],
}

impl Text {
    /// The first content of an artifact; `number` is that of no other content.
    pub(super) fn first(number: u64) -> Self {
        let part =
            |at: usize| format!("# Part {at}\n\n{}\n\n", "a line that stays as it is\n".repeat(4 + at));
        Self { head: head(number, None), parts: std::array::from_fn(part) }
    }

    /// The next content, made from this one at `base`: the head and one part differ.
    pub(super) fn next(&self, number: u64, base: Stamp) -> Self {
        let mut parts = self.parts.clone();
        let at = (number % PARTS as u64) as usize;
        parts[at] = format!("# Part {at}\n\nchanged by {number}\n\n{}\n\n", "and a line\n".repeat(6));
        Self { head: head(number, Some(base)), parts }
    }

    /// Reads a text back.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut starts =
            text.match_indices("# ").map(|(at, _)| at).filter(|at| *at == 0 || text[..*at].ends_with('\n'));
        let first = starts.next()?;
        let cuts: Vec<usize> = starts.chain([text.len()]).collect();
        let head = text.get(first..*cuts.first()?)?.to_owned();
        let parts: Vec<String> = cuts.windows(2).map(|cut| text[cut[0]..cut[1]].to_owned()).collect();
        Some(Self { head, parts: parts.try_into().ok()? })
    }

    /// The whole text.
    pub(super) fn whole(&self) -> String {
        format!("{}{}", self.head, self.parts.concat())
    }

    /// One section by its name.
    pub(super) fn section(&self, name: &str) -> Option<&str> {
        let part = |name: &str| self.parts.get(name.strip_prefix("Part ")?.parse::<usize>().ok()?);
        if name == "Head" { Some(&self.head) } else { part(name).map(String::as_str) }
    }

    /// The name of a section, by number.
    pub(super) fn section_name(number: usize) -> String {
        match number % (PARTS + 1) {
            0 => "Head".to_owned(),
            part => format!("Part {}", part - 1),
        }
    }
}

fn head(number: u64, base: Option<Stamp>) -> String {
    let from =
        base.map_or("nothing".to_owned(), |base| format!("{} of life {}", base.version, base.incarnation.0));
    format!("# Head\n\ncontent {number}, made from {from}\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use lrrc_coherence::{Incarnation, Version};

    #[test]
    fn a_text_reads_back_and_its_sections_are_its_parts() {
        let base = Stamp { incarnation: Incarnation(3), version: Version(7) };
        let text = Text::first(1).next(5, base);
        assert_eq!(Text::parse(&text.whole()), Some(text.clone()));
        let sections: Vec<&str> =
            (0..=PARTS).filter_map(|at| text.section(&Text::section_name(at))).collect();
        assert_eq!(sections.concat(), text.whole());
        assert_eq!(
            text.section("Part 2"),
            Some(
                "# Part 2\n\nchanged by 5\n\nand a line\nand a line\nand a line\nand a line\nand a line\nand a line\n\n\n"
            )
        );
        assert_eq!(Text::parse("no heading"), None);
    }
}
