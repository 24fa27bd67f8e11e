//! Arguments of the verbs about accepted behaviour, and about what came before.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub struct AcceptArgs {
    #[command(flatten)]
    pub looked_at: LookedAt,
    /// Accept only these examples, scenarios, or episodes; repeatable
    #[arg(long, value_name = "ID")]
    pub example: Vec<String>,
    /// Go on accepting what was accepted before, too: for agents that do not do the same each
    /// time
    #[arg(long)]
    pub keep: bool,
}

#[derive(Debug, Args)]
pub struct ReviewChangesArgs {
    #[command(flatten)]
    pub looked_at: LookedAt,
    /// Ask nothing: list what changed, and end with exit code 100 where anything did
    #[arg(long)]
    pub check: bool,
}

/// Whose behaviour.
#[derive(Debug, Args)]
pub struct LookedAt {
    /// An experiment under ./reports; default: the newest
    pub experiment: Option<String>,
    /// Only this variant, such as `workflow@rules`; repeatable
    #[arg(short = 'a', long, value_name = "VARIANT")]
    pub variant: Vec<String>,
    /// Where the dataset of the experiment is by now; default: where it was then
    #[arg(short, long, value_name = "PATH")]
    pub dataset: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// What to show: `pass_rate`, a key such as `triage.accuracy`, `cost_usd`, or
    /// `latency_ms.p50`
    #[arg(default_value = "pass_rate")]
    pub key: String,
    /// Only this variant, such as `workflow@rules`; repeatable
    #[arg(short = 'a', long, value_name = "VARIANT")]
    pub variant: Vec<String>,
    /// The newest N experiments
    #[arg(short = 'n', long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub newest: u32,
}
