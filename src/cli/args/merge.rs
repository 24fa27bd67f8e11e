//! The flags of `mailproof merge`.

use std::path::PathBuf;

use clap::Args;

use super::Reach;

#[derive(Debug, Args)]
pub struct MergeArgs {
    /// A shard: its name under ./reports, or its folder; or the folder, or the `s3://BUCKET/PREFIX`,
    /// that all shards of NAME are in [default: ./reports]
    #[arg(value_name = "SHARD")]
    pub shards: Vec<String>,
    /// Name of the whole, in ./reports/NAME/
    #[arg(short, long, env = "MAILPROOF_EXPERIMENT", value_name = "NAME")]
    pub experiment: String,
    /// Also write the report here; the format by extension: .json, .md, .svg; repeatable
    #[arg(short, long, env = "MAILPROOF_OUTPUT", value_name = "FILE")]
    pub output: Vec<PathBuf>,
    #[command(flatten)]
    pub reach: Reach,
}
