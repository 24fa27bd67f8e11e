use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::Mutex;

use proptest::prelude::*;

use super::super::batch::{Packer, Parcel};
use super::*;

/// The number of an item; 0 in its parcel is what the others are within.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Lump {
    parcel: usize,
    number: usize,
}

impl Item for Lump {
    fn bytes(&self) -> usize {
        10
    }

    fn name(&self) -> String {
        format!("{}.{}", self.parcel, self.number)
    }
}

/// Takes requests as the service does: all of one or nothing.
#[derive(Debug, Default)]
struct Service {
    state: Mutex<State>,
    most: usize,
    /// Whether what is not there is taken of a request of which some is; else nothing is.
    mixes: bool,
    bad: BTreeSet<Lump>,
    /// Bad is all but what others are within.
    refuses_runs: bool,
    /// At this request, somebody stops it.
    stopped: Option<(usize, CancellationToken)>,
    /// Requests after which nobody answers.
    patience: Option<usize>,
}

#[derive(Debug, Default)]
struct State {
    there: BTreeSet<Lump>,
    requests: Vec<Vec<Lump>>,
}

impl Carry<Lump> for &Service {
    async fn carry(&self, items: &[Lump]) -> Result<Ingest, Error> {
        let mut state = self.state.lock().unwrap();
        if self.patience == Some(state.requests.len()) {
            let reason = "gone".to_owned();
            return Err(Error::Unreachable { reason });
        }
        state.requests.push(items.to_vec());
        if let Some((at, cancel)) = &self.stopped
            && *at == state.requests.len()
        {
            cancel.cancel();
        }
        let is_bad = |item: &Lump| self.bad.contains(item) || self.refuses_runs && item.number > 0;
        let known = items
            .iter()
            .filter(|item| state.there.contains(item))
            .count();
        Ok(if items.len() > self.most {
            Ingest::TooLarge
        } else if items.iter().any(is_bad) {
            let reason = "bad".to_owned();
            Ingest::Refused { reason }
        } else if known == items.len() || known > 0 && !self.mixes {
            Ingest::AlreadyThere
        } else {
            state.there.extend(items);
            Ingest::Taken
        })
    }
}

fn limits(operations: usize) -> Limits {
    Limits {
        operations: NonZeroUsize::new(operations).unwrap(),
        bytes: 1000,
    }
}

fn delivery(service: &Service, operations: usize) -> Delivery<&Service> {
    let (_, cancel) = service.stopped.clone().unwrap_or_default();
    Delivery {
        carrier: service,
        limits: limits(operations),
        stop: Stop::new(cancel),
    }
}

/// Loads of parcels of so many items.
fn loads(sizes: &[usize], operations: usize) -> Vec<Load<Lump, usize>> {
    let mut packer = Packer::new(limits(operations));
    let parcels = sizes.iter().enumerate().map(|(parcel, &size)| Parcel {
        of: parcel,
        items: (0..size).map(|number| Lump { parcel, number }).collect(),
    });
    let mut loads: Vec<_> = parcels.flat_map(|parcel| packer.add(parcel)).collect();
    loads.extend(packer.finish());
    loads
}

fn lumps(numbers: &[(usize, usize)]) -> BTreeSet<Lump> {
    let lump = |&(parcel, number)| Lump { parcel, number };
    numbers.iter().map(lump).collect()
}

/// One load of these parcels, delivered.
async fn deliver(service: &Service, sizes: &[usize]) -> Delivered<usize> {
    let load = loads(sizes, 100).remove(0);
    let (mut delivered, result) = delivery(service, 100).attempts(load).await;
    result.unwrap();
    delivered.parcels.sort_unstable_by_key(|(of, _)| *of);
    delivered
}

#[tokio::test]
async fn what_is_taken_takes_one_request() {
    let service = Service {
        most: 100,
        ..Service::default()
    };
    let delivered = deliver(&service, &[3, 2]).await;
    assert_eq!(delivered.parcels, [(0, Fate::Sent), (1, Fate::Sent)]);
    assert_eq!(service.state.lock().unwrap().requests.len(), 1);
}

#[tokio::test]
async fn attempts_of_which_some_are_there_are_sent_one_by_one() {
    let service = Service {
        most: 100,
        ..Service::default()
    };
    service.state.lock().unwrap().there = lumps(&[(1, 0), (1, 1)]);
    let delivered = deliver(&service, &[3, 2, 1]).await;
    let fates = [(0, Fate::Sent), (1, Fate::There), (2, Fate::Sent)];
    assert_eq!(delivered.parcels, fates);
    assert_eq!(service.state.lock().unwrap().there.len(), 6);
}

#[tokio::test]
async fn a_refused_run_is_found_and_the_rest_is_sent() {
    for (case, bad, fates, refused) in [
        (
            "within an attempt",
            (1, 2),
            [(0, Fate::Sent), (1, Fate::Sent), (2, Fate::Sent)],
            "1.2",
        ),
        (
            "the attempt itself",
            (1, 0),
            [(0, Fate::Sent), (1, Fate::Refused), (2, Fate::Sent)],
            "1.0",
        ),
    ] {
        let service = Service {
            most: 100,
            bad: lumps(&[bad]),
            ..Service::default()
        };
        let delivered = deliver(&service, &[3, 4, 2]).await;
        assert_eq!(delivered.parcels, fates, "{case}");
        let expected = [Refusal {
            name: refused.to_owned(),
            reason: "bad".to_owned(),
        }];
        assert_eq!(delivered.refused, expected, "{case}");
        assert_eq!(service.state.lock().unwrap().there.len(), 8, "{case}");
    }
}

#[tokio::test]
async fn a_service_that_takes_less_than_it_says_gets_less() {
    let service = Service {
        most: 2,
        ..Service::default()
    };
    let delivered = deliver(&service, &[3, 2, 5]).await;
    assert_eq!(delivered.refused, []);
    let fates = [(0, Fate::Sent), (1, Fate::Sent), (2, Fate::Sent)];
    assert_eq!(delivered.parcels, fates);
    assert_eq!(service.state.lock().unwrap().there.len(), 10);
}

#[tokio::test]
async fn scores_are_refused_one_by_one() {
    let service = Service {
        most: 100,
        bad: lumps(&[(2, 0)]),
        ..Service::default()
    };
    service.state.lock().unwrap().there = lumps(&[(0, 0)]);
    let load = loads(&[1; 5], 100).remove(0);
    let (mut delivered, result) = delivery(&service, 100).scores(load).await;
    result.unwrap();
    delivered.parcels.sort_unstable_by_key(|(of, _)| *of);
    let fates = [
        Fate::There,
        Fate::Sent,
        Fate::Refused,
        Fate::Sent,
        Fate::Sent,
    ];
    assert!(delivered.parcels.into_iter().eq((0..).zip(fates)));
    assert_eq!(delivered.refused.len(), 1);
}

#[tokio::test]
async fn an_attempt_of_which_runs_are_there_gets_its_others() {
    // Sent in pieces and cut off, and again with larger requests.
    for mixes in [false, true] {
        let service = Service {
            most: 100,
            mixes,
            ..Service::default()
        };
        service.state.lock().unwrap().there = lumps(&[(0, 1), (0, 2)]);
        let delivered = deliver(&service, &[4]).await;
        assert_eq!(delivered.parcels, [(0, Fate::Sent)], "{mixes}");
        let state = service.state.lock().unwrap();
        assert_eq!(state.there.len(), 4, "{mixes}");
    }
}

#[tokio::test]
async fn a_service_that_refuses_everything_is_not_asked_for_all_of_it() {
    let service = Service {
        most: 100,
        refuses_runs: true,
        ..Service::default()
    };
    let delivery = delivery(&service, 100);
    let mut refused = 0;
    // Two loads that know of each other, each with an attempt of many runs.
    for load in loads(&[1501, 1501], 100) {
        let (delivered, result) = delivery.clone().attempts(load).await;
        assert!(matches!(result, Err(PushError::Refusing { reason }) if reason == "bad"));
        assert_eq!(delivered.parcels, [], "neither is there");
        refused += delivered.refused.len();
    }
    assert_eq!(refused, MOST_REFUSED);
    let requests = service.state.lock().unwrap().requests.len();
    assert!(requests < 3 * MOST_REFUSED, "{requests}");
    assert!(delivery.stop.refusing().is_err());
}

#[tokio::test]
async fn nothing_is_sent_after_a_stop() {
    for at in 1..5 {
        let service = Service {
            most: 2,
            stopped: Some((at, CancellationToken::new())),
            ..Service::default()
        };
        let load = loads(&[9], 100).remove(0);
        let (_, result) = delivery(&service, 100).attempts(load).await;
        assert!(matches!(result, Err(PushError::Cancelled)), "{at}");
        let requests = service.state.lock().unwrap().requests.len();
        assert_eq!(requests, at);
    }
}

proptest! {
    /// At whatever request the service falls silent: a parcel's first item is there only where
    /// all others of it are, and doing it again sends the rest, also in requests of another size.
    #[test]
    fn what_was_cut_off_is_finished_by_doing_it_again(
        sizes in prop::collection::vec(1..9_usize, 1..8),
        operations in 1..6_usize,
        most in 1..6_usize,
        patience in 0..30_usize,
        mixes: bool,
        operations_again in 1..20_usize,
        most_again in 1..20_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut service =
                Service { most, mixes, patience: Some(patience), ..Service::default() };
            let mut told = BTreeSet::new();
            for load in loads(&sizes, operations) {
                let (delivered, result) = delivery(&service, operations).attempts(load).await;
                told.extend(delivered.parcels.iter().map(|(of, _)| *of));
                if result.is_err() {
                    break;
                }
            }
            for (parcel, &size) in sizes.iter().enumerate() {
                let there = &service.state.lock().unwrap().there;
                let has = |number| there.contains(&Lump { parcel, number });
                let whole = (0..size).all(has);
                assert!(whole || !has(0), "{parcel} of {there:?}");
                assert!(whole || !told.contains(&parcel));
            }
            service.patience = None;
            service.most = most_again;
            for load in loads(&sizes, operations_again) {
                let sending = delivery(&service, operations_again).attempts(load);
                let (delivered, result) = sending.await;
                result.unwrap();
                assert_eq!(delivered.refused, []);
            }
            let there = service.state.lock().unwrap().there.len();
            assert_eq!(there, sizes.iter().sum::<usize>());
        });
    }
}
