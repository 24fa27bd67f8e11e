//! Sends an experiment: the dataset by what differs, an experiment of the service for each
//! variant, the runs of every attempt, and what they were worth.
//!
//! Nothing is kept here of what was sent. Each step looks at what is there and adds what is
//! missing; ids follow from the journal, so whoever pushes, from wherever and however often,
//! ends at the same state. A push that was cut off at any point is gone on with by pushing
//! again.

mod batch;
mod deliver;
mod fill;
mod mirror;
mod session;
mod survey;
mod verify;

use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::batch::{Item as Sendable, Load};
pub use self::deliver::Refusal;
use self::deliver::{Delivered, Delivery, Fate, Stop};
use self::fill::{Filling, Target, Whose};
pub use self::mirror::Changes;
use self::session::Shared;
pub use self::session::{Forgotten, Git, kept};
pub use self::survey::{Extent, Survey};
pub use self::verify::Counted;
use self::verify::Expected;
use super::client::{Client, Created, Error, Limits, pace};
use super::examples::{Examples, Hidden};
use super::runs::moved;
use super::wire::{Dataset, Feedback, Object, Run, Session, SessionUpdate};
use crate::dataset;
use crate::experiment::layer::LayerError;
use crate::judge::calibration::items::Item;
use crate::redact::Redactor;

/// Requests that are under way together.
pub const IN_FLIGHT: usize = 4;

/// Refused items at which it is given up: the service means all of them.
const MOST_REFUSED: usize = 50;

/// How long the service may take to count what it has, of all variants together.
const MOST_COUNTING: Duration = Duration::from_secs(30);

/// What is to be pushed, and where to.
#[derive(Debug)]
pub struct Push {
    pub client: Client,
    /// The experiment's.
    pub folder: PathBuf,
    pub survey: Arc<Survey>,
    pub local: Arc<dataset::Dataset>,
    /// What people decided about attempts.
    pub labels: Vec<Item>,
    /// What the dataset is called there.
    pub dataset_name: String,
    /// What ids are made of: the experiment's name, or another.
    pub pushed_as: String,
    /// What names of experiments start with.
    pub prefix: String,
    /// Goes over the metadata of the experiments.
    pub metadata: Object,
    pub git: Option<Git>,
    pub hidden: Hidden,
    /// Whether examples of ours that are no longer here are deleted.
    pub prune: bool,
    pub redactor: Arc<Redactor>,
    pub now: Timestamp,
    /// Nothing is sent any more once it is cancelled.
    pub cancel: CancellationToken,
    pub progress: watch::Sender<Progress>,
}

/// How far it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Attempts whose runs are there.
    pub attempts: u64,
    /// Scores that are there.
    pub scores: u64,
}

/// Why a push went no further.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    #[error(transparent)]
    Client(#[from] Error),
    #[error(transparent)]
    Layer(#[from] LayerError),
    #[error(transparent)]
    Forgotten(#[from] Forgotten),
    #[error(
        "experiment {id} (`{name}`) is of another dataset than `{dataset}`: name its dataset with `--dataset-name`, or push as another experiment with `--as NAME`"
    )]
    OtherDataset {
        id: Uuid,
        name: String,
        dataset: String,
    },
    #[error("experiment {id} is called `{name}`, and so are others with four other names of it")]
    NamesTaken { id: Uuid, name: String },
    #[error(
        "LangSmith refuses too much of it, {MOST_REFUSED} runs or scores, to go on; the first because: {reason}"
    )]
    Refusing { reason: String },
    #[error("stopped")]
    Cancelled,
}

/// What came of a push.
#[derive(Debug, Default)]
pub struct Pushed {
    /// `None` where it went not so far.
    pub dataset: Option<Dataset>,
    /// Whether it was made.
    pub made: bool,
    pub changes: Changes,
    /// One for each variant that has attempts, in the order of the reports.
    pub experiments: Vec<Experiment>,
    /// Nothing of these was taken. Not all, where there are many.
    pub refused: Vec<Refusal>,
    /// What the attempts that were not sent were attempts at: neither there nor here.
    pub unknown: BTreeSet<String>,
    /// Labels that fit no attempt.
    pub unused_labels: usize,
    /// Why it went no further.
    pub stopped: Option<PushError>,
}

/// A variant's experiment.
#[derive(Clone, Debug, Default)]
pub struct Experiment {
    pub variant: String,
    /// Its id and name; `None` where it went not so far.
    pub session: Option<(Uuid, String)>,
    pub attempts: Counts,
    pub scores: Counts,
    /// The layer whose scores were pushed first, where these are others: they stay as they are.
    pub other_layer: Option<u32>,
    /// What the service counts, where all was sent; or why it did not say.
    pub counted: Option<Result<Counted, String>>,
}

/// What became of attempts, or of scores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub all: u64,
    pub sent: u64,
    /// They were there before.
    pub there: u64,
}

impl Counts {
    pub fn left(self) -> u64 {
        self.all.saturating_sub(self.sent + self.there)
    }
}

impl Pushed {
    fn end(&mut self, result: Result<(), PushError>) {
        self.stopped = result.err();
        self.experiments.retain(|it| it.attempts.all > 0);
    }

    /// Whether all of it is there.
    pub fn is_complete(&self) -> bool {
        let left = |it: &Experiment| it.attempts.left() + it.scores.left() > 0;
        let all_sent = self.refused.is_empty() && !self.experiments.iter().any(left);
        self.stopped.is_none() && all_sent
    }
}

impl Push {
    /// How long it takes at least, and how many requests: what the service allows, where nothing
    /// is there yet.
    pub fn forecast(survey: &Survey, examples: usize, limits: Limits) -> (u64, Duration) {
        use pace::Class;
        let whole = survey.whole();
        let operations = limits.operations.get() as u64;
        let full = whole.runs.div_ceil(operations) + whole.scores.div_ceil(operations);
        let pages = (examples as u64).div_ceil(100) + 1;
        let variants = survey.variants.iter().filter(|it| it.attempts > 0).count() as u64;
        // The experiment is looked for, made, ended, and read; and the dataset before.
        let others = 4 * variants + 3;
        let requests = [
            (Class::Multipart, full),
            (Class::Examples, pages),
            (Class::Other, others),
        ];
        (full + pages + others, pace::least(&requests))
    }

    /// What there is to push, before anything was sent.
    fn begun(&self) -> Pushed {
        let header = &self.survey.header;
        let extents = header.variants.iter().zip(&self.survey.variants);
        Pushed {
            experiments: extents
                .map(|(variant, extent)| Experiment {
                    variant: variant.name.clone(),
                    attempts: Counts::of(extent.attempts),
                    scores: Counts::of(extent.scores),
                    ..Experiment::default()
                })
                .collect(),
            ..Pushed::default()
        }
    }

    /// What comes of it where not even the first question was answered.
    pub fn stopped(&self, error: PushError) -> Pushed {
        let mut pushed = self.begun();
        pushed.end(Err(error));
        pushed
    }

    /// Pushes, and says what came of it; where something failed, also up to there.
    pub async fn run(self) -> Pushed {
        let mut pushed = self.begun();
        let result = self.go(&mut pushed).await;
        pushed.end(result);
        pushed
    }

    async fn go(&self, pushed: &mut Pushed) -> Result<(), PushError> {
        let limits = self
            .unless_cancelled(async { Ok(self.client.limits().await?) })
            .await?;
        let found = mirror::dataset(&self.client, &self.dataset_name, &self.local);
        let (dataset, made) = self.unless_cancelled(found).await?;
        pushed.dataset = Some(dataset.clone());
        pushed.made = made;
        let examples = Examples {
            local: &self.local,
            remote: dataset.id,
            redactor: &self.redactor,
            hidden: self.hidden,
        };
        let order = mirror::Order {
            examples,
            same: self.local.hash == self.survey.header.dataset.hash,
            prune: self.prune,
            needed: &self.survey.examples,
        };
        let mirror = self
            .unless_cancelled(mirror::mirror(&self.client, order))
            .await?;
        pushed.changes = mirror.changes;

        let shared = Shared {
            survey: &self.survey,
            pushed_as: &self.pushed_as,
            prefix: &self.prefix,
            dataset: dataset.id,
            dataset_version: mirror.version,
            splits: mirror.splits.into_iter().collect(),
            git: self.git.clone(),
            metadata: &self.metadata,
            now: self.now,
        };
        let mut targets = Vec::new();
        for (variant, experiment) in pushed.experiments.iter_mut().enumerate() {
            if experiment.attempts.all == 0 {
                targets.push(None);
                continue;
            }
            let target = self.target(&shared, variant, experiment);
            targets.push(Some(self.unless_cancelled(target).await?));
        }

        let filling = Arc::new(Filling {
            folder: self.folder.clone(),
            layer: self.survey.layer,
            targets,
            hidden: self.hidden,
            examples: self
                .survey
                .examples
                .iter()
                .map(|id| (id.clone(), examples.id(id)))
                .collect(),
            inputs: mirror.inputs,
            local: Arc::clone(&self.local),
            labels: self.labels.clone(),
            limits,
            cancel: self.cancel.clone(),
        });
        let delivery = Delivery {
            carrier: self.client.clone(),
            limits,
            stop: Stop::new(self.cancel.clone()),
        };
        let not_there = self.send_runs(&delivery, &filling, pushed).await?;
        let sending = self.send_scores(&delivery, &filling, not_there, pushed);
        let expected = sending.await?;
        self.unless_cancelled(self.end(&filling, pushed)).await?;
        self.verify(&filling, &expected, pushed).await;
        Ok(())
    }

    /// Waits no longer once it is cancelled: whatever the server made of it, the next push finds.
    async fn unless_cancelled<T>(
        &self,
        step: impl Future<Output = Result<T, PushError>>,
    ) -> Result<T, PushError> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(PushError::Cancelled),
            result = step => result,
        }
    }

    /// The experiment of a variant, made or found, and what it has.
    async fn target(
        &self,
        shared: &Shared<'_>,
        variant: usize,
        experiment: &mut Experiment,
    ) -> Result<Target, PushError> {
        let mut new = shared.of(variant);
        let found = self.client.session(new.id, false).await?;
        let (session, is_new) = match found {
            Some(found) => (found, false),
            None => self.make(shared, &mut new, variant).await?,
        };
        if session
            .reference_dataset_id
            .is_some_and(|id| id != shared.dataset)
        {
            return Err(PushError::OtherDataset {
                id: session.id,
                name: session.name,
                dataset: self.dataset_name.clone(),
            });
        }
        let (shift, layer) = kept(&session)?;
        experiment.session = Some((session.id, session.name.clone()));
        experiment.other_layer = Some(layer).filter(|layer| *layer != self.survey.layer);
        let (there, scores) = match is_new {
            true => Default::default(),
            false => (
                self.client.root_ids(&session).await?,
                self.client.feedback_ids(session.id).await?,
            ),
        };
        let ended = self.survey.variants[variant].time;
        Ok(Target {
            session: session.id,
            name: session.name,
            shift_ms: shift,
            there,
            scores,
            ends: ended.map(|(_, ended)| moved(ended, shift)),
            end_time: session.end_time,
        })
    }

    /// Makes the experiment, under the first of its names that no other has.
    async fn make(
        &self,
        shared: &Shared<'_>,
        new: &mut super::wire::NewSession,
        variant: usize,
    ) -> Result<(Session, bool), PushError> {
        let named = &self.survey.header.variants[variant];
        for attempt in 0..4 {
            new.name = session::name(shared.prefix, &named.name, new.id, attempt);
            match self.client.create_session(new).await? {
                Created::New(mut session) => {
                    // What it was made with is what it has.
                    session.extra = Some(new.extra.clone());
                    return Ok((session, true));
                }
                Created::Ours(session) => return Ok((session, false)),
                Created::NameTaken => {}
            }
        }
        Err(PushError::NamesTaken {
            id: new.id,
            name: new.name.clone(),
        })
    }

    /// Sends the runs of all attempts that are not there. Returns the roots that are not there
    /// after it.
    async fn send_runs(
        &self,
        delivery: &Delivery<Client>,
        filling: &Arc<Filling>,
        pushed: &mut Pushed,
    ) -> Result<HashSet<Uuid>, PushError> {
        let mut not_there = HashSet::new();
        let (loads, receiver) = mpsc::channel(2);
        let filling = Arc::clone(filling);
        let filled = tokio::task::spawn_blocking(move || fill::runs(&filling, &loads));
        let carried = self
            .carry_out(
                delivery,
                receiver,
                |delivery, load: Load<Run, Whose>| delivery.attempts(load),
                |delivered| {
                    for (whose, fate) in delivered.parcels {
                        let counts = &mut pushed.experiments[whose.variant].attempts;
                        match fate {
                            Fate::Sent => counts.sent += 1,
                            Fate::There => counts.there += 1,
                            Fate::Refused => {
                                not_there.insert(whose.root);
                                continue;
                            }
                        }
                        self.progress.send_modify(|progress| progress.attempts += 1);
                    }
                    pushed.refused.extend(delivered.refused);
                },
            )
            .await;
        let filled = filled.await.expect("filling does not panic");
        // What it has found is so, wherever the sending ended.
        if let Ok(filled) = &filled {
            for (experiment, there) in pushed.experiments.iter_mut().zip(&filled.there) {
                experiment.attempts.there += there;
            }
            pushed.unknown.clone_from(&filled.unknown);
        }
        let filled = carried.and(filled)?;
        not_there.extend(filled.unsent);
        Ok(not_there)
    }

    /// Sends the scores that are not there. Returns how many there are to be.
    async fn send_scores(
        &self,
        delivery: &Delivery<Client>,
        filling: &Arc<Filling>,
        not_there: HashSet<Uuid>,
        pushed: &mut Pushed,
    ) -> Result<Vec<Expected>, PushError> {
        let (loads, receiver) = mpsc::channel(2);
        let filling = Arc::clone(filling);
        let filled =
            tokio::task::spawn_blocking(move || fill::scores(&filling, &not_there, &loads));
        let carried = self
            .carry_out(
                delivery,
                receiver,
                |delivery, load: Load<Feedback, usize>| delivery.scores(load),
                |delivered| {
                    for (variant, fate) in delivered.parcels {
                        let counts = &mut pushed.experiments[variant].scores;
                        match fate {
                            Fate::Sent => counts.sent += 1,
                            Fate::There => counts.there += 1,
                            Fate::Refused => continue,
                        }
                        self.progress.send_modify(|progress| progress.scores += 1);
                    }
                    pushed.refused.extend(delivered.refused);
                },
            )
            .await;
        let filled = filled.await.expect("filling does not panic");
        // The same.
        if let Ok(filled) = &filled {
            let found = filled.there.iter().zip(&filled.labelled);
            for (experiment, (there, labelled)) in pushed.experiments.iter_mut().zip(found) {
                experiment.scores.there += there;
                experiment.scores.all += labelled;
            }
        }
        let filled = carried.and(filled)?;
        pushed.unused_labels = self.labels.len() - filled.used.len();
        Ok(filled.expected)
    }

    /// Takes loads to the service, some at a time, until there are none.
    async fn carry_out<T, K, F>(
        &self,
        delivery: &Delivery<Client>,
        mut loads: mpsc::Receiver<Load<T, K>>,
        deliver: impl Fn(Delivery<Client>, Load<T, K>) -> F,
        mut account: impl FnMut(Delivered<K>),
    ) -> Result<(), PushError>
    where
        T: Sendable,
        K: Send + 'static,
        F: Future<Output = (Delivered<K>, Result<(), PushError>)> + Send + 'static,
    {
        let mut running = JoinSet::new();
        let mut result = Ok(());
        let mut more = true;
        // Requests in flight are waited for whatever happens: they are as good as sent.
        while (more && result.is_ok()) || !running.is_empty() {
            tokio::select! {
                biased;
                () = self.cancel.cancelled(), if more && result.is_ok() => {
                    result = Err(PushError::Cancelled);
                }
                Some(joined) = running.join_next() => {
                    let (delivered, sent) = joined.expect("sending does not panic");
                    account(delivered);
                    result = result.and(sent).and_then(|()| delivery.stop.refusing());
                }
                load = loads.recv(), if more && result.is_ok() && running.len() < IN_FLIGHT => {
                    match load {
                        Some(load) => {
                            running.spawn(deliver(delivery.clone(), load));
                        }
                        None => more = false,
                    }
                }
            }
        }
        result
    }

    /// Says of each experiment when it ended: later readers look for its runs up to then.
    async fn end(&self, filling: &Filling, pushed: &Pushed) -> Result<(), PushError> {
        for (experiment, target) in pushed.experiments.iter().zip(&filling.targets) {
            let Some(target) = target else { continue };
            if experiment.attempts.left() > 0 || target.end_time == target.ends {
                continue;
            }
            let update = SessionUpdate {
                end_time: target.ends,
            };
            self.client.update_session(target.session, &update).await?;
        }
        Ok(())
    }

    /// Has the service count what is there.
    async fn verify(&self, filling: &Filling, expected: &[Expected], pushed: &mut Pushed) {
        let until = Instant::now() + MOST_COUNTING;
        let experiments = pushed.experiments.iter_mut().zip(&filling.targets);
        for ((experiment, target), expected) in experiments.zip(expected) {
            let Some(target) = target else { continue };
            if experiment.attempts.left() + experiment.scores.left() > 0 {
                continue;
            }
            let counting = verify::verify(&self.client, target.session, expected, &self.cancel);
            // All of it is there, whatever becomes of this.
            experiment.counted = Some(match timeout_at(until, counting).await {
                Ok(counted) => counted.map_err(|error| error.to_string()),
                Err(_) => Err(format!("it took over {} s", MOST_COUNTING.as_secs())),
            });
        }
    }
}

impl Counts {
    fn of(all: u64) -> Counts {
        Counts {
            all,
            ..Counts::default()
        }
    }
}
