//! Examples: read by pages, and written many at once.

use std::collections::BTreeMap;

use reqwest::Method;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::listing::Listing;
use super::multipart::{Form, text};
use super::pace::Class;
use super::{Answer, Client, Error};
use crate::langsmith::wire::{Example, ExampleWrite, Object};

/// Bytes of one request; the service takes 20 MB.
const MOST_BYTES: usize = 12 << 20;
/// Examples of one request.
const MOST: usize = 200;
/// Ids that one address names.
const IDS: usize = 100;

/// What of an example is in no part of its own.
#[derive(Serialize)]
struct Head<'a> {
    metadata: &'a Object,
    split: &'a [String],
}

/// An example in one piece, for servers that take no forms.
#[derive(Serialize)]
struct Whole<'a> {
    dataset_id: Uuid,
    id: Uuid,
    inputs: &'a Object,
    outputs: &'a Object,
    metadata: &'a Object,
    split: &'a [String],
}

/// An example as it is sent.
struct Encoded<'a> {
    example: &'a ExampleWrite,
    head: String,
    inputs: String,
    outputs: String,
}

impl Encoded<'_> {
    fn bytes(&self) -> usize {
        self.head.len() + self.inputs.len() + self.outputs.len() + 600
    }

    /// Whether that is what the service has already. What it does not answer with, such as
    /// numbers in their very spelling, makes it another: one change too many does no harm.
    fn is(&self, found: &Example) -> bool {
        const SPLIT: &str = "dataset_split";
        let mut metadata = found.metadata.clone().unwrap_or_default();
        let split = metadata.shift_remove(SPLIT).unwrap_or_default();
        let found = [
            json!({ "metadata": metadata, "split": split }),
            json!(found.inputs),
            json!(found.outputs.clone().unwrap_or_default()),
        ];
        let sent = [&self.head, &self.inputs, &self.outputs];
        sent.into_iter().zip(found).all(|(sent, found)| {
            serde_json::from_str::<Value>(sent).is_ok_and(|sent| sent == found)
        })
    }
}

impl Client {
    /// A dataset's examples. `as_of` is a time or the name of a version; `None` is the newest.
    pub fn examples(&self, dataset: Uuid, as_of: Option<&str>) -> Listing<'_, Example> {
        let mut query = vec![("dataset", dataset.to_string())];
        query.extend(as_of.map(|as_of| ("as_of", as_of.to_owned())));
        Listing::new(self, "list examples", Class::Examples, "examples", query)
    }

    /// Makes examples. Those that are there already become what is given.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn create_examples(
        &self,
        dataset: Uuid,
        examples: &[ExampleWrite],
    ) -> Result<(), Error> {
        const DOING: &str = "make examples";
        for batch in self.batches(examples) {
            let answer = self
                .write_examples(DOING, Method::POST, dataset, &batch)
                .await?;
            if answer.status != 409 {
                self.written(DOING, &answer)?;
                continue;
            }
            // A try whose answer was lost, or somebody else, has made some of them.
            let there = self.examples_there(dataset, &batch).await?;
            if there.is_empty() {
                return Err(self.refused(DOING, &answer));
            }
            let (known, missing): (Vec<Encoded>, Vec<Encoded>) = batch
                .into_iter()
                .partition(|one| there.contains_key(&one.example.id));
            if !missing.is_empty() {
                let answer = self
                    .write_examples(DOING, Method::POST, dataset, &missing)
                    .await?;
                // Again a conflict: its own answer was lost.
                if answer.status != 409 {
                    self.written(DOING, &answer)?;
                }
            }
            let differs = |one: &Encoded| !one.is(&there[&one.example.id]);
            let differing: Vec<Encoded> = known.into_iter().filter(differs).collect();
            if !differing.is_empty() {
                let answer = self
                    .write_examples(DOING, Method::PATCH, dataset, &differing)
                    .await?;
                self.written(DOING, &answer)?;
            }
        }
        Ok(())
    }

    /// Makes examples that are there what is given.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn update_examples(
        &self,
        dataset: Uuid,
        examples: &[ExampleWrite],
    ) -> Result<(), Error> {
        const DOING: &str = "change examples";
        for batch in self.batches(examples) {
            let answer = self
                .write_examples(DOING, Method::PATCH, dataset, &batch)
                .await?;
            self.written(DOING, &answer)?;
        }
        Ok(())
    }

    /// Takes examples out of the newest version of their dataset; older ones keep them.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn delete_examples(&self, ids: &[Uuid]) -> Result<(), Error> {
        const DOING: &str = "delete examples";
        for ids in ids.chunks(IDS) {
            let mut call = self.call(DOING, Class::Other, Method::DELETE, &["examples"]);
            for id in ids {
                call.url
                    .query_pairs_mut()
                    .append_pair("example_ids", &id.to_string());
            }
            let answer = self.send(call).await?;
            // Gone is what they were to be.
            if answer.status != 404 {
                self.written(DOING, &answer)?;
            }
        }
        Ok(())
    }

    /// Whether the server wrote what it was given; what it says of it is not needed.
    fn written(&self, doing: &'static str, answer: &Answer) -> Result<(), Error> {
        match answer.is_success() {
            true => Ok(()),
            false => Err(self.refused(doing, answer)),
        }
    }

    async fn examples_there(
        &self,
        dataset: Uuid,
        batch: &[Encoded<'_>],
    ) -> Result<BTreeMap<Uuid, Example>, Error> {
        const DOING: &str = "look for examples";
        let mut there = BTreeMap::new();
        for batch in batch.chunks(IDS) {
            let mut call = self.call(DOING, Class::Examples, Method::GET, &["examples"]);
            call.url
                .query_pairs_mut()
                .append_pair("dataset", &dataset.to_string())
                .append_pair("limit", "100");
            for one in batch {
                call.url
                    .query_pairs_mut()
                    .append_pair("id", &one.example.id.to_string());
            }
            let answer = self.send(call).await?;
            let found: Vec<Example> = self.read(DOING, &answer)?;
            there.extend(found.into_iter().map(|example| (example.id, example)));
        }
        Ok(there)
    }

    fn batches<'a>(&self, examples: &'a [ExampleWrite]) -> Vec<Vec<Encoded<'a>>> {
        let redactor = &self.0.redactor;
        let mut batches: Vec<Vec<Encoded>> = Vec::new();
        let mut bytes = 0;
        for example in examples {
            let head = Head {
                metadata: &example.metadata,
                split: &example.split,
            };
            let encoded = Encoded {
                example,
                head: text(&head, redactor),
                inputs: text(&example.inputs, redactor),
                outputs: text(&example.outputs, redactor),
            };
            bytes += encoded.bytes();
            match batches.last_mut() {
                Some(batch) if batch.len() < MOST && bytes <= MOST_BYTES => batch.push(encoded),
                _ => {
                    bytes = encoded.bytes();
                    batches.push(vec![encoded]);
                }
            }
        }
        batches
    }

    async fn write_examples(
        &self,
        doing: &'static str,
        method: Method,
        dataset: Uuid,
        batch: &[Encoded<'_>],
    ) -> Result<Answer, Error> {
        let mut call = self.call(doing, Class::Other, method, &["examples", "bulk"]);
        call.body = Some(if self.info().await?.takes_forms_of_examples() {
            let id = dataset.to_string();
            call.url = self.platform(&["datasets", &id, "examples"]);
            let mut form = Form::default();
            for one in batch {
                let id = one.example.id;
                form.part(&id.to_string(), &one.head);
                form.part(&format!("{id}.inputs"), &one.inputs);
                form.part(&format!("{id}.outputs"), &one.outputs);
            }
            self.form(form, false)
        } else {
            let whole = batch.iter().map(|one| Whole::of(dataset, one.example));
            let whole: Vec<Whole> = whole.collect();
            self.json(&whole)
        });
        self.send(call).await
    }
}

impl<'a> Whole<'a> {
    fn of(dataset_id: Uuid, example: &'a ExampleWrite) -> Whole<'a> {
        Whole {
            dataset_id,
            id: example.id,
            inputs: &example.inputs,
            outputs: &example.outputs,
            metadata: &example.metadata,
            split: &example.split,
        }
    }
}
