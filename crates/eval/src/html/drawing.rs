//! One figure: its SVG inside the page, and files of the SVG and of the numbers behind it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{Markup, PreEscaped, html};

use crate::plot::PlotError;

/// The declaration that SVG needs in a file of its own and that a page has no need for.
const NAMESPACE: &str = " xmlns=\"http://www.w3.org/2000/svg\"";

/// A figure with the numbers behind it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Drawing {
    /// Name of its files without their ending.
    pub(super) name: String,
    /// What it shows, for readers who do not see it.
    pub(super) title: String,
    /// What stands under it: sizes of the sample and the method of the intervals.
    pub(super) caption: String,
    /// The SVG, a document of its own.
    pub(super) svg: String,
    /// The numbers, with a heading line.
    pub(super) csv: String,
}

impl Drawing {
    /// The figure, with links that save its two files.
    pub(super) fn markup(&self) -> Markup {
        let inline = self.svg.replacen(NAMESPACE, "", 1);
        html! {
            figure {
                div.scroll.figure role="img" aria-label=(self.title) tabindex="0" { (PreEscaped(inline)) }
                figcaption {
                    (self.caption) " "
                    a href=(data_link("image/svg+xml", &self.svg)) download=(self.file("svg")) { "SVG" }
                    " · "
                    a href=(data_link("text/csv", &self.csv)) download=(self.file("csv")) { "CSV" }
                }
            }
        }
    }

    /// Name of one of its files.
    pub(super) fn file(&self, ending: &str) -> String {
        format!("{}.{ending}", self.name)
    }
}

fn data_link(kind: &str, text: &str) -> String {
    format!("data:{kind};charset=utf-8;base64,{}", STANDARD.encode(text))
}

/// The figure, or nothing where it would have no point.
pub(super) fn drawn(svg: Result<String, PlotError>) -> Result<Option<String>, PlotError> {
    match svg {
        Ok(svg) => Ok(Some(svg)),
        Err(PlotError::Empty { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Lines of CSV under a heading; numbers are written so that they read back as they are.
pub(super) fn csv_text(heading: &[&str], lines: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let records = lines.into_iter().map(csv::StringRecord::from);
    for record in std::iter::once(csv::StringRecord::from(heading)).chain(records) {
        writer.write_record(&record).expect("memory takes every line, all of one length");
    }
    let bytes = writer.into_inner().expect("memory takes every line");
    String::from_utf8(bytes).expect("text in, text out")
}

/// A field of CSV for a number that may be missing.
pub(super) fn field(number: Option<f64>) -> String {
    number.map_or_else(String::new, |number| number.to_string())
}

/// A data set's name as part of a file name: lower-case letters, digits and hyphens.
pub(super) fn slug(name: &str) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' };
    name.chars().map(plain).collect()
}
