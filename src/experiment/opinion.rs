//! What judges say of an attempt, in terms of what it was an attempt at.

use super::plan::Item;
use crate::dataset::Example;
use crate::judge::bench::{Judges, Opinion};
use crate::judge::subject::Subject;
use crate::model::Origin;
use crate::run::Run;
use crate::score::Suite;

/// Has `judges` look at the runs of one attempt at `item`, an example, scenario, or episode of
/// the dataset whose examples these are.
///
/// What the judges are asked comes from a place of its own: neither their time nor their
/// calls are the attempt's, and the same attempt is asked the same whenever it is judged.
pub async fn opinion(
    judges: &Judges,
    item: Item<'_>,
    examples: &[Example],
    runs: &[Run],
    repeat: u32,
    suites: &[Suite],
) -> Opinion {
    let subject = match item {
        Item::Example(example) => Subject::Example {
            example,
            run: &runs[0],
        },
        Item::Scenario(scenario) => Subject::Scenario {
            scenario,
            example: &examples[scenario.example as usize],
            run: &runs[0],
        },
        Item::Episode(episode) => Subject::Episode {
            episode,
            examples,
            runs,
        },
    };
    let origin = Origin::new(item.id(), repeat);
    judges.judge(&subject, suites, &origin).await
}
