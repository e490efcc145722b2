//! Names of compressors on the command line.

use lrrc_eval::Method;

/// The compressor with this name.
pub(crate) fn parse_method(name: &str) -> Result<Method, String> {
    let names = Method::ALL.map(Method::name).join(", ");
    Method::ALL
        .into_iter()
        .find(|method| method.name() == name)
        .ok_or_else(|| format!("expected one of {names}"))
}
