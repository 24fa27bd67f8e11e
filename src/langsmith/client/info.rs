//! What a server says of itself.

use std::num::NonZeroUsize;

use serde::Deserialize;

/// What a server says of itself; where it says nothing, what the service assumes then.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Info {
    pub version: Option<String>,
    batch_ingest_config: Option<Batches>,
    instance_flags: Option<Flags>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Batches {
    use_multipart_endpoint: Option<bool>,
    size_limit: Option<u64>,
    size_limit_bytes: Option<u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Flags {
    zstd_compression_enabled: Option<bool>,
    dataset_examples_multipart_enabled: Option<bool>,
    sdb_query_enabled: Option<bool>,
}

/// How much one request of runs may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Runs, or feedback.
    pub operations: NonZeroUsize,
    /// Before compression.
    pub bytes: usize,
}

impl Info {
    /// Whether runs and feedback may be sent as forms.
    pub fn takes_forms(&self) -> bool {
        let said = self
            .batch_ingest_config
            .as_ref()
            .and_then(|it| it.use_multipart_endpoint);
        said.unwrap_or(true)
    }

    /// Whether feedback may stand in forms of runs.
    pub fn takes_feedback_in_forms(&self) -> bool {
        const SINCE: [u64; 3] = [0, 8, 10];
        let told = self.version.as_deref().and_then(|version| {
            let numbers = version.split(['.', '-', '+']).take(3);
            let numbers: Result<Vec<u64>, _> = numbers.map(str::parse).collect();
            numbers.ok().filter(|numbers| numbers.len() == 3)
        });
        self.takes_forms() && told.is_none_or(|version| version.as_slice() >= &SINCE[..])
    }

    /// Whether it reads Zstandard.
    pub fn reads_zstd(&self) -> bool {
        self.flag(|flags| flags.zstd_compression_enabled)
    }

    pub fn takes_forms_of_examples(&self) -> bool {
        self.flag(|flags| flags.dataset_examples_multipart_enabled)
    }

    /// Whether runs are asked for in the newer way.
    pub fn queries_v2(&self) -> bool {
        self.flag(|flags| flags.sdb_query_enabled)
    }

    fn flag(&self, of: impl Fn(&Flags) -> Option<bool>) -> bool {
        self.instance_flags.as_ref().and_then(of).unwrap_or(false)
    }

    /// How much one request may hold; `said` wins over the server's number of runs.
    pub fn limits(&self, said: Option<NonZeroUsize>) -> Limits {
        const OPERATIONS: NonZeroUsize = NonZeroUsize::new(100).expect("it is not zero");
        const BYTES: u64 = 20 << 20;
        let batches = self.batch_ingest_config.clone().unwrap_or_default();
        let told = batches
            .size_limit
            .and_then(|count| usize::try_from(count).ok())
            .and_then(NonZeroUsize::new);
        // Half of it: what counts how long a request is does not count as the server does.
        let bytes = batches.size_limit_bytes.unwrap_or(BYTES).min(BYTES) / 2;
        Limits {
            operations: said.or(told).unwrap_or(OPERATIONS),
            bytes: bytes.max(1) as usize,
        }
    }
}
