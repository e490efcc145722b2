//! Values of the command line, refused with what may stand there instead.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::told::{escaped, shortened};

/// Reads a whole number within its bounds. The option needs `allow_negative_numbers`, or -1 is taken for an option.
pub(crate) fn whole<T: TryFrom<u64> + Clone + Send + Sync + 'static>(
    bounds: RangeInclusive<u64>,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static {
    move |text| {
        let number = text.parse().ok().filter(|number| bounds.contains(number));
        let fault = || format!("it is a whole number from {} to {}", bounds.start(), bounds.end());
        number.and_then(|number| T::try_from(number).ok()).ok_or_else(fault)
    }
}

/// Reads a value whose type repeats a wrong text in its message: what is repeated is short and steers no terminal.
pub(crate) fn tame<T: FromStr<Err: Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| escaped(&error.to_string().replace(text, &shortened(text))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_refused_with_their_bounds() {
        let parse = whole::<u32>(1..=u64::from(u32::MAX));
        assert_eq!(parse("4294967295"), Ok(u32::MAX));
        for text in ["0", "-1", "4294967296", "99999999999999999999", "a", ""] {
            assert_eq!(parse(text), Err("it is a whole number from 1 to 4294967295".to_owned()), "{text}");
        }
    }
}
