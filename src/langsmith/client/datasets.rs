//! Datasets, and where people look at what was measured on them.

use reqwest::Method;
use uuid::Uuid;

use super::pace::Class;
use super::{Client, Error};
use crate::langsmith::wire::{Dataset, NewDataset};

impl Client {
    /// The dataset of exactly this name.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn dataset(&self, name: &str) -> Result<Option<Dataset>, Error> {
        const DOING: &str = "look for a dataset by its name";
        // As it is written, so that a name with a secret in it is found again.
        let name = self.0.redactor.text(name);
        let mut call = self.call(DOING, Class::Other, Method::GET, &["datasets"]);
        call.url
            .query_pairs_mut()
            .append_pair("name", &name)
            .append_pair("limit", "1");
        let answer = self.send(call).await?;
        let found: Vec<Dataset> = self.read(DOING, &answer)?;
        Ok(found.into_iter().find(|dataset| dataset.name == name))
    }

    /// # Errors
    /// See [`Error`].
    pub async fn dataset_by_id(&self, id: Uuid) -> Result<Option<Dataset>, Error> {
        const DOING: &str = "read a dataset";
        let path = ["datasets", &id.to_string()];
        let answer = self
            .send(self.call(DOING, Class::Other, Method::GET, &path))
            .await?;
        match answer.status {
            404 => Ok(None),
            _ => self.read(DOING, &answer).map(Some),
        }
    }

    /// The new dataset, or the one that has its name by now.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn create_dataset(&self, dataset: &NewDataset) -> Result<Dataset, Error> {
        const DOING: &str = "make a dataset";
        let mut call = self.call(DOING, Class::Other, Method::POST, &["datasets"]);
        call.body = Some(self.json(dataset));
        let answer = self.send(call).await?;
        if answer.status == 409 {
            // Also where the first try made it, and its answer was lost.
            let found = self.dataset(&dataset.name).await?;
            return found.ok_or_else(|| self.refused(DOING, &answer));
        }
        self.read(DOING, &answer)
    }

    /// Reads one dataset, whichever: what tells that the key is good.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn check(&self) -> Result<(), Error> {
        const DOING: &str = "list datasets";
        let mut call = self.call(DOING, Class::Other, Method::GET, &["datasets"]);
        call.url.query_pairs_mut().append_pair("limit", "1");
        let answer = self.send(call).await?;
        self.read::<Vec<Dataset>>(DOING, &answer).map(drop)
    }

    /// Where experiments on a dataset are looked at side by side.
    pub fn link(&self, dataset: &Dataset, sessions: &[Uuid]) -> String {
        let web = self.settings().web();
        let sessions: Vec<String> = sessions.iter().map(Uuid::to_string).collect();
        format!(
            "{web}/o/{}/datasets/{}/compare?selectedSessions={}",
            dataset.tenant_id,
            dataset.id,
            sessions.join("%2C")
        )
    }
}
