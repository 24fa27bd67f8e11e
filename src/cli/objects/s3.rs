//! S3, and what speaks like it, through the `object_store` crate, which sends again what failed
//! in passing.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use futures_util::TryStreamExt;
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::path::Path as Key;
use object_store::{ObjectStore, ObjectStoreExt, WriteMultipart};
use tokio::runtime::{Builder, Runtime};

use super::super::environment::Environment;
use super::super::exit::Failure;
use super::{SCHEME, parts};
use crate::experiment::journal::FILE;
use crate::model::http::Endpoint;
use crate::report::escape;

/// What is sent at once, in bytes; S3 takes no smaller parts, and 10,000 of them.
const PART: usize = 8 << 20;
/// Parts on their way at a time.
const PARTS: usize = 4;

/// What lies under a prefix.
pub struct Objects {
    url: String,
    store: AmazonS3,
    prefix: Key,
    runtime: Runtime,
}

impl Objects {
    /// With keys, region, and endpoint as the AWS_* variables say. Nothing is sent.
    ///
    /// # Errors
    /// The URL is none, a variable does not fit, or `offline` forbids it.
    pub fn open(url: &str, environment: &Environment, offline: bool) -> Result<Objects, Failure> {
        let (bucket, prefix) = parts(url)?;
        let mut builder = AmazonS3Builder::new().with_bucket_name(bucket);
        for (name, value) in environment.starting_with("AWS_") {
            let key = name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>();
            // Those that are not of S3 are somebody else's.
            if let (Ok(key), false) = (key, value.is_empty()) {
                builder = builder.with_config(key, value);
            }
        }
        let endpoint = builder.get_config_value(&AmazonS3ConfigKey::Endpoint);
        if offline {
            let is_here = endpoint.as_deref().is_some_and(|endpoint| {
                Endpoint::parse(endpoint).is_ok_and(|endpoint| endpoint.is_loopback())
            });
            let key = builder.get_config_value(&AmazonS3ConfigKey::AccessKeyId);
            // Without a key, the machine's provider would be asked for one.
            if !is_here || key.is_none() {
                return Err(Failure::usage(format!(
                    "`--offline` refuses {url}: AWS_ENDPOINT_URL names no server on this machine, or AWS_ACCESS_KEY_ID is not set"
                )));
            }
        }
        if endpoint.is_some_and(|endpoint| endpoint.starts_with("http://")) {
            // Whoever wrote that address chose it.
            builder = builder.with_allow_http(true);
        }
        let runtime = Builder::new_current_thread().enable_all().build();
        Ok(Objects {
            url: url.to_owned(),
            store: builder
                .build()
                .map_err(|error| failed("open", url, &error))?,
            prefix: Key::parse(prefix).map_err(Failure::usage)?,
            runtime: runtime.map_err(Failure::internal)?,
        })
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Copies a file to `PREFIX/NAME`; returns the URL of that. It is there whole or not at
    /// all, and takes the place of what was there.
    ///
    /// # Errors
    /// Exit code 5: what is to be merged is not where `merge` will look.
    pub fn put(&self, file: &Path, name: &str) -> Result<String, Failure> {
        let key = self.key(name)?;
        let place = self.place(&key);
        let sent = self.runtime.block_on(self.send(file, &key));
        match sent {
            Ok(()) => Ok(place),
            Err(error) => Err(failed("copy the journal to", &place, &error)),
        }
    }

    async fn send(&self, file: &Path, key: &Key) -> Result<(), object_store::Error> {
        let unreadable = |source: io::Error| object_store::Error::Generic {
            store: "file",
            source: Box::new(source),
        };
        let mut file = File::open(file).map_err(unreadable)?;
        let mut part = Vec::new();
        let mut next = |part: &mut Vec<u8>| -> io::Result<bool> {
            part.clear();
            (&mut file).take(PART as u64).read_to_end(part)?;
            Ok(part.len() == PART)
        };
        if !next(&mut part).map_err(unreadable)? {
            self.store.put(key, part.into()).await?;
            return Ok(());
        }
        let upload = self.store.put_multipart(key).await?;
        let mut upload = WriteMultipart::new_with_chunk_size(upload, PART);
        loop {
            let sent = upload.wait_for_capacity(PARTS).await;
            upload.write(&part);
            let more = !part.is_empty();
            let read = next(&mut part).map_err(unreadable);
            if let Err(error) = sent.and(read.map(|_| ())) {
                // The first error says what went wrong.
                let _ = upload.abort().await;
                return Err(error);
            }
            if !more {
                break;
            }
        }
        upload.finish().await?;
        Ok(())
    }

    /// The journals here: that of the prefix itself, or else those of the folders under it
    /// that are `wanted`.
    ///
    /// # Errors
    /// Exit code 5.
    pub fn journals(&self, wanted: impl Fn(&str) -> bool) -> Result<Vec<String>, Failure> {
        let listing = self.store.list_with_delimiter(Some(&self.prefix));
        let listed = self.runtime.block_on(listing);
        let listed = listed.map_err(|error| failed("list", &self.url, &error))?;
        if listed
            .objects
            .iter()
            .any(|object| object.location.filename() == Some(FILE))
        {
            return Ok(vec![FILE.to_owned()]);
        }
        let folders = listed.common_prefixes.iter();
        let folders = folders.filter_map(|folder| folder.filename());
        let wanted = folders.filter(|folder| wanted(folder));
        Ok(wanted.map(|folder| format!("{folder}/{FILE}")).collect())
    }

    /// Copies `PREFIX/NAME` to a file; returns the URL of what was copied.
    ///
    /// # Errors
    /// Exit code 5.
    pub fn fetch(&self, name: &str, file: &Path) -> Result<String, Failure> {
        let key = self.key(name)?;
        let place = self.place(&key);
        let fetched = self.runtime.block_on(async {
            let mut parts = self.store.get(&key).await?.into_stream();
            let unwritable = |source: io::Error| object_store::Error::Generic {
                store: "file",
                source: Box::new(source),
            };
            let mut file = File::create(file).map_err(unwritable)?;
            while let Some(part) = parts.try_next().await? {
                file.write_all(&part).map_err(unwritable)?;
            }
            Ok::<_, object_store::Error>(())
        });
        fetched.map_err(|error| failed("fetch", &place, &error))?;
        Ok(place)
    }

    fn key(&self, name: &str) -> Result<Key, Failure> {
        let prefix = match self.prefix.as_ref() {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        Key::parse(format!("{prefix}{name}")).map_err(Failure::usage)
    }

    fn place(&self, key: &Key) -> String {
        let (bucket, _) = parts(&self.url).expect("it was read before");
        format!("{SCHEME}{bucket}/{key}")
    }
}

/// What went wrong with a place, with its causes.
fn failed(what: &str, place: &str, error: &dyn std::error::Error) -> Failure {
    let mut text = format!("cannot {what} {place}: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // Some say what their causes say.
        if !text.contains(&cause_text) {
            text.push_str(&format!(": {cause_text}"));
        }
        source = cause.source();
    }
    // What a server said is in it.
    Failure::incomplete(escape::lines(&text))
}
