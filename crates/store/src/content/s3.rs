//! Contents in an S3-compatible store.

use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::path::Path;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};
use url::Url;

/// A home waits for its contents, so a store that does not answer has to say so soon.
const RETRIES: RetryConfig = RetryConfig {
    backoff: BackoffConfig {
        init_backoff: Duration::from_millis(100),
        max_backoff: Duration::from_secs(2),
        base: 2.0,
    },
    max_retries: 3,
    retry_timeout: Duration::from_secs(4),
};

/// How long one request may take, unless the option `timeout` says otherwise. With the retries it stays below the patience
/// of agents: one content that does not come must not end the sessions of all.
const REQUEST_WITHIN: Duration = Duration::from_secs(5);
const CONNECT_WITHIN: Duration = Duration::from_secs(2);

/// The store at `s3://bucket/folder`, and the folder in it. Options that are none of S3's are passed over.
pub(super) fn open<'o>(
    url: &Url,
    options: impl IntoIterator<Item = (&'o str, &'o str)>,
) -> Result<(impl ObjectStore, Path), object_store::Error> {
    let client = ClientOptions::new().with_timeout(REQUEST_WITHIN).with_connect_timeout(CONNECT_WITHIN);
    let builder =
        AmazonS3Builder::new().with_url(url.as_str()).with_retry(RETRIES).with_client_options(client);
    let builder = options.into_iter().fold(builder, |builder, (name, value)| match name.parse() {
        Ok(key) => builder.with_config(key, value),
        Err(_) => builder,
    });
    Ok((builder.build()?, Path::from_url_path(url.path())?))
}
