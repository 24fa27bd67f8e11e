//! How a run goes, on stderr: gone when it is over, and absent where stderr is no terminal.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::args::Talk;
use crate::experiment::execute::Counts;

/// Often enough to look alive, seldom enough to cost nothing.
const EVERY: Duration = Duration::from_millis(100);

/// A bar that nobody sees where stderr is no terminal, or quiet was asked for.
pub fn bar(talk: &Talk, total: u64) -> ProgressBar {
    let visible = !talk.quiet && std::io::stderr().is_terminal();
    let target = match visible {
        true => ProgressDrawTarget::stderr(),
        false => ProgressDrawTarget::hidden(),
    };
    ProgressBar::with_draw_target(Some(total), target)
}

/// A running display; [`Display::finish`] takes it down.
pub struct Display {
    bar: ProgressBar,
    task: JoinHandle<()>,
}

impl Display {
    pub fn start(talk: &Talk, total: u64, counts: watch::Receiver<Counts>) -> Display {
        let bar = bar(talk, total);
        bar.set_style(
            ProgressStyle::with_template("{bar:20} {pos}/{len} {msg}, {eta} left")
                .expect("the template is well formed"),
        );
        let already = counts.borrow().recorded();
        let task = tokio::spawn(watch_counts(bar.clone(), counts, already));
        Display { bar, task }
    }

    pub async fn finish(self) {
        self.task.abort();
        // The task may hold the bar until it has noticed; an abort is no failure.
        let _ = self.task.await;
        self.bar.finish_and_clear();
    }
}

async fn watch_counts(bar: ProgressBar, counts: watch::Receiver<Counts>, already: u64) {
    let started = Instant::now();
    bar.set_position(already);
    bar.reset_eta();
    let mut tick = tokio::time::interval(EVERY);
    loop {
        tick.tick().await;
        let (recorded, message) = {
            let counts = counts.borrow();
            (
                counts.recorded(),
                describe(&counts, already, started.elapsed()),
            )
        };
        bar.set_position(recorded);
        bar.set_message(message);
    }
}

fn describe(counts: &Counts, already: u64, elapsed: Duration) -> String {
    let rate = (counts.recorded() - already) as f64 / elapsed.as_secs_f64().max(0.001);
    let mut text = format!(
        "{rate:.0}/s, {} passed, {} failed, {} model calls",
        counts.passed,
        counts.failed,
        counts.usage.calls(),
    );
    if counts.unscored > 0 {
        text.push_str(&format!(", {} errors", counts.unscored));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_leaves_out_what_an_earlier_sitting_did() {
        let counts = Counts {
            passed: 30,
            failed: 10,
            ..Counts::default()
        };
        let text = describe(&counts, 20, Duration::from_secs(2));
        assert_eq!(text, "10/s, 30 passed, 10 failed, 0 model calls");
    }

    #[test]
    fn errors_are_named_once_there_are_any() {
        let counts = Counts {
            unscored: 2,
            ..Counts::default()
        };
        assert!(describe(&counts, 0, Duration::from_secs(1)).ends_with(", 2 errors"));
    }
}
