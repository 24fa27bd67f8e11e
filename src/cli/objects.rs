//! Journals in an object store: `s3://BUCKET/PREFIX`, where there is no folder to share.

#[cfg(feature = "object-store")]
mod s3;

use super::exit::Failure;

#[cfg(feature = "object-store")]
pub use s3::Objects;

/// How the addresses of object stores begin.
const SCHEME: &str = "s3://";

/// Whether it names a place in an object store.
pub fn is_url(text: &str) -> bool {
    text.starts_with(SCHEME)
}

/// A bucket, and what the keys in it begin with.
fn parts(url: &str) -> Result<(&str, &str), Failure> {
    let wrong = |what: &str| {
        Failure::usage(format!(
            "`{url}` {what}: write `s3://BUCKET/PREFIX`; keys and endpoint come from the AWS_* variables"
        ))
    };
    let place = url
        .strip_prefix(SCHEME)
        .ok_or_else(|| wrong("is no place in an object store"))?;
    let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if bucket.is_empty() || !bucket.chars().all(fits) {
        return Err(wrong("names no bucket"));
    }
    let prefix = prefix.trim_end_matches('/');
    if prefix.contains(['?', '#']) || prefix.split('/').any(|part| [".", ".."].contains(&part)) {
        return Err(wrong("has a prefix that cannot be"));
    }
    Ok((bucket, prefix))
}

/// Stands in where the build has no object stores: there is no such value.
#[cfg(not(feature = "object-store"))]
pub enum Objects {}

#[cfg(not(feature = "object-store"))]
impl Objects {
    pub fn open(
        url: &str,
        _: &super::environment::Environment,
        _: bool,
    ) -> Result<Objects, Failure> {
        parts(url)?;
        Err(Failure::usage(
            "`s3://` is not in this build; build with `--features object-store`",
        ))
    }

    pub fn url(&self) -> &str {
        match *self {}
    }

    pub fn put(&self, _: &std::path::Path, _: &str) -> Result<String, Failure> {
        match *self {}
    }

    pub fn journals(&self, _: impl Fn(&str) -> bool) -> Result<Vec<String>, Failure> {
        match *self {}
    }

    pub fn fetch(&self, _: &str, _: &std::path::Path) -> Result<String, Failure> {
        match *self {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_bucket_and_maybe_a_prefix() {
        for (url, found) in [
            ("s3://bucket", Ok(("bucket", ""))),
            ("s3://bucket/", Ok(("bucket", ""))),
            ("s3://my.bucket/a/b/", Ok(("my.bucket", "a/b"))),
            ("s3://", Err("names no bucket")),
            ("s3:///a", Err("names no bucket")),
            ("s3://key:secret@bucket/a", Err("names no bucket")),
            ("s3://bucket/a/../b", Err("cannot be")),
            ("s3://bucket/a?x", Err("cannot be")),
            ("gs://bucket/a", Err("no place in an object store")),
        ] {
            match (parts(url), found) {
                (Ok(parts), Ok(found)) => assert_eq!(parts, found, "{url}"),
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
                (found, _) => panic!("{url}: {found:?}"),
            }
        }
    }
}
