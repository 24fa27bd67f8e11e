//! Experiments compared by pairs.

use reqwest::Method;
use serde::Deserialize;
use uuid::Uuid;

use super::pace::Class;
use super::{Client, Error};
use crate::langsmith::wire::{Dataset, NewComparative};

#[derive(Deserialize)]
struct Known {
    id: Uuid,
}

impl Client {
    /// Makes a comparison of experiments, where there is none of this id: whether it is new.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn create_comparative(&self, new: &NewComparative) -> Result<bool, Error> {
        const LOOKING: &str = "look for a comparison";
        const MAKING: &str = "make a comparison";
        let dataset = new.reference_dataset_id.to_string();
        let path = ["datasets", &dataset, "comparative"];
        let mut call = self.call(LOOKING, Class::Other, Method::GET, &path);
        call.url
            .query_pairs_mut()
            .append_pair("id", &new.id.to_string());
        let answer = self.send(call).await?;
        let known: Vec<Known> = self.read(LOOKING, &answer)?;
        if known.iter().any(|known| known.id == new.id) {
            return Ok(false);
        }
        let path = ["datasets", "comparative"];
        let mut call = self.call(MAKING, Class::Other, Method::POST, &path);
        call.body = Some(self.json(new));
        let answer = self.send(call).await?;
        match answer.status {
            // Somebody was faster, or the first try's answer was lost.
            409 => Ok(false),
            _ if answer.is_success() => Ok(true),
            _ => Err(self.refused(MAKING, &answer)),
        }
    }

    /// Where a comparison is looked at.
    pub fn comparative_link(&self, dataset: &Dataset, sessions: &[Uuid], id: Uuid) -> String {
        let link = self.link(dataset, sessions);
        format!("{link}&comparativeExperiment={id}")
    }
}
