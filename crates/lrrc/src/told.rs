//! Errors and foreign text as the terminal shows them.

use std::error::Error;
use std::fmt;

use clap::error::{ContextKind, ContextValue};
use miette::{Diagnostic, Report};

/// Characters of a text of the user's that a message repeats.
const ECHO_CHARS_MAX: usize = 80;

/// Parts of a wrong command line that clap repeats.
const ECHOED: [ContextKind; 3] =
    [ContextKind::InvalidArg, ContextKind::InvalidValue, ContextKind::InvalidSubcommand];

/// The text without characters that steer a terminal: control characters and marks that turn the direction of writing are
/// written as escapes, except for line ends and tabs.
pub(crate) fn escaped(text: &str) -> String {
    let steers = |c: char| {
        (c.is_control() && !matches!(c, '\n' | '\t'))
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut told = String::with_capacity(text.len());
    for c in text.chars() {
        if steers(c) { told.extend(c.escape_default()) } else { told.push(c) }
    }
    told
}

/// The beginning of a text that may be long, escaped.
pub(crate) fn shortened(text: &str) -> String {
    let mut rest = text.chars();
    let start: String = rest.by_ref().take(ECHO_CHARS_MAX).collect();
    let end = if rest.next().is_some() { "…" } else { "" };
    escaped(&start) + end
}

/// What clap repeats of the command line, shortened.
pub(crate) fn tame(error: &mut clap::Error) {
    for kind in ECHOED {
        if let Some(ContextValue::String(text)) = error.get(kind) {
            let short = shortened(text);
            if short != *text {
                // Its advice repeats the text too.
                error.remove(ContextKind::Suggested);
            }
            error.insert(kind, ContextValue::String(short));
        }
    }
}

/// An error with its causes, each of which says something that those before it did not.
#[derive(Debug)]
pub(crate) struct Told {
    message: String,
    help: Option<String>,
    cause: Option<Box<Told>>,
}

impl Told {
    /// Error types often repeat their cause in their own words and name it as their source too.
    pub(crate) fn of(report: &Report) -> Self {
        let mut messages: Vec<String> = Vec::new();
        for message in report.chain().map(ToString::to_string) {
            if !messages.iter().any(|said| said.contains(&message)) {
                messages.push(message);
            }
        }
        let link =
            |cause, message: String| Some(Box::new(Self { message: escaped(&message), help: None, cause }));
        let causes = messages.drain(1..).rev().fold(None, link);
        let message = escaped(&messages.remove(0));
        Self { message, help: report.help().map(|help| escaped(&help.to_string())), cause: causes }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl Error for Told {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

impl Diagnostic for Told {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_deref().map(|help| Box::new(help) as _)
    }
}

#[cfg(test)]
mod tests {
    use miette::{IntoDiagnostic, WrapErr};

    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        #[derive(Debug)]
        struct Outer(std::io::Error);
        impl fmt::Display for Outer {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(out, "cannot listen: {}", self.0)
            }
        }
        impl Error for Outer {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                Some(&self.0)
            }
        }
        let failed = || Err::<(), _>(Outer(std::io::Error::other("disk \u{1b}[31mfull")));
        let told = Told::of(&failed().into_diagnostic().expect_err("it failed"));
        assert_eq!(told.message, "cannot listen: disk \\u{1b}[31mfull");
        assert!(told.cause.is_none(), "{told:?}");
        let told = Told::of(&failed().into_diagnostic().wrap_err("serving").expect_err("it failed"));
        let cause = told.cause.expect("what failed in serving");
        assert!(told.message == "serving" && cause.message.starts_with("cannot listen"), "{cause:?}");
        assert!(cause.cause.is_none(), "{cause:?}");
    }

    #[test]
    fn long_texts_are_cut_and_controls_escaped() {
        assert_eq!(escaped("a\u{7}\u{202e}b\tc\n"), "a\\u{7}\\u{202e}b\tc\n");
        assert_eq!(shortened(&"ä".repeat(81)), "ä".repeat(80) + "…");
        assert_eq!(shortened(&"ä".repeat(80)), "ä".repeat(80));
    }
}
