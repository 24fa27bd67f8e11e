//! Feedback: sent many at once after its runs, and read for what is there.

use std::collections::HashSet;
use std::sync::atomic::Ordering;

use reqwest::Method;
use serde::Serialize;
use uuid::Uuid;

use super::listing::{Known, Listed, Listing};
use super::multipart::{Form, text};
use super::pace::Class;
use super::{Client, Error, Ingest};
use crate::langsmith::wire::{ComparativeFeedback, Feedback, FeedbackRead};

impl Client {
    /// Sends feedback of runs that were sent before, in one request where the server can.
    /// Where it cannot, one after the other: [`Ingest::Refused`] then leaves those before the
    /// refused one taken, and sending them again changes nothing.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn send_feedback(&self, feedback: &[Feedback]) -> Result<Ingest, Error> {
        const DOING: &str = "take feedback";
        let batches = &self.0.ways.batches;
        if self.info().await?.takes_feedback_in_forms() && !batches.load(Ordering::Relaxed) {
            let mut form = Form::default();
            for one in feedback {
                let json = text(one, &self.0.redactor);
                form.part(&format!("feedback.{}", one.id), &json);
            }
            let mut call = self.call(
                DOING,
                Class::Multipart,
                Method::POST,
                &["runs", "multipart"],
            );
            call.body = Some(self.form(form, true));
            let answer = self.send(call).await?;
            if !matches!(answer.status, 404 | 405) {
                return self.ingested(DOING, &answer);
            }
            batches.store(true, Ordering::Relaxed);
        }
        for one in feedback {
            match self.post(one).await? {
                Ingest::Taken | Ingest::AlreadyThere => {}
                refused => return Ok(refused),
            }
        }
        Ok(Ingest::Taken)
    }

    /// Sends what a comparison says of one run.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn post_feedback(&self, feedback: &ComparativeFeedback) -> Result<Ingest, Error> {
        self.post(feedback).await
    }

    async fn post(&self, feedback: &impl Serialize) -> Result<Ingest, Error> {
        const DOING: &str = "take a feedback";
        let mut call = self.call(DOING, Class::Feedback, Method::POST, &["feedback"]);
        call.body = Some(self.json(feedback));
        // The service stores runs after it has answered.
        call.early = true;
        let answer = self.send(call).await?;
        self.ingested(DOING, &answer)
    }

    /// An experiment's feedback.
    pub fn feedback(&self, session: Uuid) -> Listing<'_, FeedbackRead> {
        self.listed(session)
    }

    /// The ids of an experiment's feedback.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn feedback_ids(&self, session: Uuid) -> Result<HashSet<Uuid>, Error> {
        self.listed::<Known>(session).ids().await
    }

    fn listed<T: Listed>(&self, session: Uuid) -> Listing<'_, T> {
        let query = vec![("session", session.to_string())];
        Listing::new(self, "list feedback", Class::Other, "feedback", query)
    }
}
