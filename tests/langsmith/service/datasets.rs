//! Datasets, their examples in every version, and comparative experiments.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Example, Service, TENANT};
use crate::request::{
    Answer, Answered, Object, Request, answer, by_id, id, id_of, object, objects, refuse,
    required_id, text,
};

const DATASET: [&str; 10] = [
    "name",
    "description",
    "created_at",
    "inputs_schema_definition",
    "outputs_schema_definition",
    "externally_managed",
    "transformations",
    "id",
    "extra",
    "data_type",
];

const EXAMPLE: [&str; 10] = [
    "dataset_id",
    "id",
    "inputs",
    "outputs",
    "metadata",
    "split",
    "created_at",
    "source_run_id",
    "use_source_run_io",
    "overwrite",
];

const COMPARATIVE: [&str; 8] = [
    "id",
    "experiment_ids",
    "name",
    "description",
    "created_at",
    "modified_at",
    "reference_dataset_id",
    "extra",
];

impl Example {
    /// As of a time, or as it is now.
    pub(super) fn at(&self, at: Option<Timestamp>) -> Option<&Object> {
        let mut versions = self.versions.iter().rev();
        let version = versions.find(|(modified, _)| at.is_none_or(|at| *modified <= at));
        version.and_then(|(_, example)| example.as_ref())
    }
}

impl Service {
    pub(super) fn create_dataset(&mut self, request: &Request) -> Answered {
        let body = request.object(&DATASET)?;
        let name = text(&body, "name")?;
        objects(
            &body,
            &[
                "extra",
                "inputs_schema_definition",
                "outputs_schema_definition",
            ],
        )?;
        if !matches!(
            body.get("data_type").and_then(Value::as_str),
            None | Some("kv" | "llm" | "chat")
        ) {
            return Err(refuse(422, "data_type must be kv, llm, or chat"));
        }
        if self
            .datasets
            .values()
            .any(|dataset| dataset["name"] == name)
        {
            return Err(refuse(409, "Dataset with this name already exists."));
        }
        // The true one draws an id. Here it follows from the name, so that states compare.
        let id = id_of(&body, "id")?.unwrap_or(Uuid::new_v5(&TENANT, name.as_bytes()));
        let now = self.now();
        let extra = body.get("extra").and_then(|extra| extra.get("metadata"));
        let dataset = json!({
            "id": id,
            "tenant_id": TENANT,
            "name": name,
            "description": body.get("description"),
            "data_type": body.get("data_type").cloned().unwrap_or(json!("kv")),
            "metadata": extra,
            "created_at": now,
            "modified_at": now,
        });
        let dataset = object(
            "dataset",
            dataset,
            &[&DATASET[..], &["tenant_id", "metadata", "modified_at"]].concat(),
        )?;
        self.datasets.insert(id, dataset);
        answer(200, self.dataset(&id.to_string())?)
    }

    /// As it is answered.
    fn dataset(&self, named: &str) -> Result<Value, Answer> {
        let id = id(named)?;
        let dataset = self
            .datasets
            .get(&id)
            .ok_or_else(|| refuse(404, "Dataset not found"))?;
        let mut dataset = dataset.clone();
        let there = |example: &&Example| example.dataset == id && example.at(None).is_some();
        dataset.insert(
            "example_count".into(),
            json!(self.examples.values().filter(there).count()),
        );
        let sessions = self.sessions.values();
        let sessions = sessions.filter(|session| session["reference_dataset_id"] == json!(id));
        dataset.insert("session_count".into(), json!(sessions.count()));
        Ok(Value::Object(dataset))
    }

    pub(super) fn read_dataset(&self, id: &str) -> Answered {
        answer(200, self.dataset(id)?)
    }

    pub(super) fn list_datasets(&self, request: &Request) -> Answered {
        request.only(&["name", "limit", "offset"])?;
        let name = request.one("name");
        let found = self.datasets.iter();
        let found = found.filter(|(_, dataset)| name.is_none_or(|name| dataset["name"] == name));
        let found: Result<_, _> = found.map(|(id, _)| self.dataset(&id.to_string())).collect();
        request.page(found?)
    }

    fn view(&self, id: Uuid, at: Option<Timestamp>) -> Option<Value> {
        let example = &self.examples[&id];
        let mut view = example.at(at)?.clone();
        let versions = example.versions.iter().rev();
        let (modified, _) = versions
            .clone()
            .find(|(time, _)| at.is_none_or(|at| *time <= at))?;
        view.insert("created_at".into(), json!(example.created));
        view.insert("modified_at".into(), json!(modified));
        Some(Value::Object(view))
    }

    pub(super) fn list_examples(&self, request: &Request) -> Answered {
        request.only(&[
            "dataset",
            "limit",
            "offset",
            "as_of",
            "id",
            "splits",
            "select",
            "inline_s3_urls",
        ])?;
        let dataset = request.ids("dataset")?;
        for id in &dataset {
            self.dataset(&id.to_string())?;
        }
        let ids = request.ids("id")?;
        if dataset.is_empty() && ids.is_empty() {
            return Err(refuse(
                400,
                "At least one of id or dataset must be provided",
            ));
        }
        let at = match request.one("as_of") {
            None | Some("latest") => None,
            Some(time) => Some(time.parse().map_err(|_| refuse(422, "as_of is no time"))?),
        };
        let splits = request.all("splits");
        let mut found: Vec<(&Uuid, &Example)> = self.examples.iter().collect();
        found.retain(|(id, example)| {
            (dataset.is_empty() || dataset.contains(&example.dataset))
                && (ids.is_empty() || ids.contains(id))
        });
        // Newest first: a client that relies on the order of a file is wrong.
        found.sort_by_key(|(id, example)| (std::cmp::Reverse(example.created), **id));
        let views = found.into_iter().filter_map(|(id, _)| self.view(*id, at));
        let views = views.filter(|view| {
            let named = view["metadata"]["dataset_split"]
                .as_array()
                .expect("splits are a list");
            splits.is_empty()
                || named
                    .iter()
                    .any(|split| splits.iter().any(|it| split == it))
        });
        request.page(views.collect())
    }

    pub(super) fn create_examples(&mut self, request: &Request, dataset: &str) -> Answered {
        let bodies = self.example_parts(request, dataset, &["metadata", "split", "created_at"])?;
        let taken = |id: &&Uuid| {
            self.examples
                .get(id)
                .is_some_and(|it| it.at(None).is_some())
        };
        if let Some((id, _)) = bodies.iter().find(|(id, _)| taken(&id)) {
            return Err(refuse(
                409,
                format!("Conflict: example {id} already exists"),
            ));
        }
        if let Some((id, _)) = bodies.iter().find(|(_, body)| !body.contains_key("inputs")) {
            return Err(refuse(422, format!("example {id} lacks its inputs")));
        }
        self.put(bodies, crate::request::id(dataset)?)
    }

    pub(super) fn update_examples(&mut self, request: &Request, dataset: &str) -> Answered {
        let bodies = self.example_parts(request, dataset, &["metadata", "split"])?;
        self.present(&bodies)?;
        self.put(bodies, crate::request::id(dataset)?)
    }

    /// Every one of these is there, or nothing is done.
    fn present(&self, bodies: &[(Uuid, Object)]) -> Result<(), Answer> {
        let there = |id: &Uuid| {
            self.examples
                .get(id)
                .is_some_and(|it| it.at(None).is_some())
        };
        match bodies.iter().find(|(id, _)| !there(id)) {
            Some((id, _)) => Err(refuse(404, format!("Not found: example {id}"))),
            None => Ok(()),
        }
    }

    fn example_parts(
        &self,
        request: &Request,
        dataset: &str,
        fields: &[&str],
    ) -> Result<Vec<(Uuid, Object)>, Answer> {
        if !self.settings.examples_multipart {
            return Err(refuse(404, "Not Found"));
        }
        self.dataset(dataset)?;
        let mut bodies = Vec::new();
        for (id, mut parts) in by_id(request.parts()?)? {
            let Some(body) = parts.remove("") else {
                return Err(refuse(422, format!("example {id} lacks its body")));
            };
            let mut body = object("example", body, fields)?;
            for (field, value) in parts {
                if field != "inputs" && field != "outputs" {
                    return Err(refuse(422, format!("unknown part {id}.{field}")));
                }
                body.insert(field, value);
            }
            objects(&body, &["inputs", "outputs", "metadata"])?;
            bodies.push((id, body));
        }
        Ok(bodies)
    }

    /// Makes these examples, or what is told of them anew; one version for all of them.
    fn put(&mut self, bodies: Vec<(Uuid, Object)>, dataset: Uuid) -> Answered {
        let now = self.now();
        let ids: Vec<Uuid> = bodies.iter().map(|(id, _)| *id).collect();
        for (id, body) in bodies {
            let example = self.examples.entry(id).or_insert_with(|| Example {
                dataset,
                created: now,
                versions: Vec::new(),
            });
            if example.dataset != dataset {
                return Err(refuse(404, format!("Not found: example {id}")));
            }
            let before = example.at(None);
            let told = |field: &str| body.get(field).filter(|value| !value.is_null()).cloned();
            let field = |field: &str| told(field).or_else(|| before?.get(field).cloned());
            let mut metadata = match field("metadata") {
                Some(Value::Object(metadata)) => metadata,
                _ => Object::new(),
            };
            let split = match told("split") {
                Some(Value::String(split)) => json!([split]),
                Some(list) => list,
                None => before
                    .and_then(|before| before["metadata"].get("dataset_split").cloned())
                    .unwrap_or(json!(["base"])),
            };
            if told("split").is_some() || !metadata.contains_key("dataset_split") {
                metadata.insert("dataset_split".into(), split);
            }
            let whole = json!({
                "id": id,
                "dataset_id": dataset,
                "name": format!("#{}", &id.to_string()[..4]),
                "inputs": field("inputs").unwrap_or(json!({})),
                "outputs": field("outputs"),
                "metadata": metadata,
                "source_run_id": null,
            });
            let Value::Object(whole) = whole else {
                unreachable!("an object was made");
            };
            example.versions.push((now, Some(whole)));
        }
        self.touch(dataset, now);
        answer(
            201,
            json!({ "count": ids.len(), "example_ids": ids, "as_of": now }),
        )
    }

    fn touch(&mut self, dataset: Uuid, now: Timestamp) {
        let dataset = self
            .datasets
            .get_mut(&dataset)
            .expect("a dataset that was looked up");
        dataset.insert("modified_at".into(), json!(now));
    }

    fn bulk(&self, request: &Request) -> Result<Vec<(Uuid, Object)>, Answer> {
        let Value::Array(bodies) = request.json()? else {
            return Err(refuse(422, "the body is not a list"));
        };
        let bodies = bodies.into_iter().map(|body| {
            let body = object("example", body, &EXAMPLE)?;
            objects(&body, &["inputs", "outputs", "metadata"])?;
            Ok((required_id(&body, "id")?, body))
        });
        bodies.collect()
    }

    /// Those that all of these belong to.
    fn dataset_of(&self, bodies: &[(Uuid, Object)]) -> Result<Uuid, Answer> {
        let datasets: Result<BTreeSet<Uuid>, Answer> = bodies
            .iter()
            .map(|(_, body)| required_id(body, "dataset_id"))
            .collect();
        let datasets = datasets?;
        match datasets.first() {
            Some(id) if datasets.len() == 1 => {
                self.dataset(&id.to_string())?;
                Ok(*id)
            }
            _ => Err(refuse(422, "the examples are not of one dataset")),
        }
    }

    pub(super) fn create_examples_bulk(&mut self, request: &Request) -> Answered {
        let bodies = self.bulk(request)?;
        let dataset = self.dataset_of(&bodies)?;
        let taken = |id: &Uuid| {
            self.examples
                .get(id)
                .is_some_and(|it| it.at(None).is_some())
        };
        if bodies.iter().any(|(id, _)| taken(id)) {
            return Err(refuse(409, "Example already exists"));
        }
        let ids: Vec<Uuid> = bodies.iter().map(|(id, _)| *id).collect();
        self.put(bodies, dataset)?;
        answer(
            200,
            ids.into_iter()
                .filter_map(|id| self.view(id, None))
                .collect(),
        )
    }

    pub(super) fn update_examples_bulk(&mut self, request: &Request) -> Answered {
        let bodies = self.bulk(request)?;
        self.present(&bodies)?;
        let first = bodies.first().ok_or_else(|| refuse(422, "an empty list"))?;
        let dataset = self.examples[&first.0].dataset;
        let count = bodies.len();
        self.put(bodies, dataset)?;
        answer(
            200,
            json!({ "message": format!("{count} examples updated"), "count": count }),
        )
    }

    pub(super) fn delete_examples(&mut self, request: &Request) -> Answered {
        request.only(&["example_ids"])?;
        let ids = request.ids("example_ids")?;
        if ids.is_empty() {
            return Err(refuse(422, "example_ids is required"));
        }
        let now = self.now();
        for id in ids {
            let Some(example) = self.examples.get_mut(&id) else {
                return Err(refuse(404, format!("Not found: example {id}")));
            };
            // What was is still there as of a time before.
            example.versions.push((now, None));
            let dataset = example.dataset;
            self.touch(dataset, now);
        }
        answer(200, json!({}))
    }

    pub(super) fn create_comparative(&mut self, request: &Request) -> Answered {
        let body = request.object(&COMPARATIVE)?;
        let experiments: Vec<Uuid> = serde_json::from_value(body["experiment_ids"].clone())
            .map_err(|error| refuse(422, format!("experiment_ids: {error}")))?;
        if experiments.len() < 2 {
            return Err(refuse(400, "at least two experiments are compared"));
        }
        let mut info = Vec::new();
        let mut datasets = BTreeSet::new();
        for id in &experiments {
            let session = self.session(&id.to_string())?;
            info.push(json!({ "id": id, "name": session["name"] }));
            datasets.insert(session["reference_dataset_id"].to_string());
        }
        if datasets.len() != 1 {
            return Err(refuse(
                400,
                "All experiments must share one reference dataset",
            ));
        }
        let id = required_id(&body, "id")?;
        if self.comparative.contains_key(&id) {
            return Err(refuse(409, "Comparative experiment already exists."));
        }
        let comparative = json!({
            "id": id,
            "name": text(&body, "name")?,
            "description": body.get("description"),
            "tenant_id": TENANT,
            "reference_dataset_id": self.sessions[&experiments[0]]["reference_dataset_id"],
            "experiments_info": info,
            "extra": body.get("extra"),
            "created_at": body.get("created_at"),
        });
        let Value::Object(comparative) = comparative else {
            unreachable!("an object was made");
        };
        self.comparative.insert(id, comparative.clone());
        answer(200, Value::Object(comparative))
    }

    pub(super) fn list_comparative(&self, request: &Request, dataset: &str) -> Answered {
        request.only(&["limit", "offset", "id"])?;
        self.dataset(dataset)?;
        let ids = request.ids("id")?;
        let found = self.comparative.iter().filter(|(id, comparative)| {
            comparative["reference_dataset_id"] == dataset && (ids.is_empty() || ids.contains(id))
        });
        request.page(found.map(|(_, it)| Value::Object(it.clone())).collect())
    }
}
