//! Lists that the service gives out by pages.

use std::collections::HashSet;
use std::marker::PhantomData;

use reqwest::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::pace::Class;
use super::{Client, Error};
use crate::langsmith::wire::{Example, FeedbackRead};

/// Things of a page; the service gives no more.
const MOST: usize = 100;

/// What is told apart by its id.
pub trait Listed: DeserializeOwned {
    fn id(&self) -> Uuid;
}

impl Listed for Example {
    fn id(&self) -> Uuid {
        self.id
    }
}

impl Listed for FeedbackRead {
    fn id(&self) -> Uuid {
        self.id
    }
}

/// Something of which nothing but the id is of interest, so nothing else can be unreadable.
#[derive(Deserialize)]
pub struct Known {
    id: Uuid,
}

impl Listed for Known {
    fn id(&self) -> Uuid {
        self.id
    }
}

/// A list, as far as it was read.
pub struct Listing<'a, T> {
    client: &'a Client,
    doing: &'static str,
    class: Class,
    path: &'static str,
    query: Vec<(&'static str, String)>,
    offset: u64,
    limit: usize,
    /// What the pages had: they shift when somebody adds something meanwhile.
    seen: HashSet<Uuid>,
    has_ended: bool,
    of: PhantomData<T>,
}

impl<'a, T: Listed> Listing<'a, T> {
    pub(super) fn new(
        client: &'a Client,
        doing: &'static str,
        class: Class,
        path: &'static str,
        query: Vec<(&'static str, String)>,
    ) -> Listing<'a, T> {
        Listing {
            client,
            doing,
            class,
            path,
            query,
            offset: 0,
            limit: MOST,
            seen: HashSet::new(),
            has_ended: false,
            of: PhantomData,
        }
    }

    /// What the next page has and none before it had; `None` after the last.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::TooLong`] where a single thing is.
    pub async fn next(&mut self) -> Result<Option<Vec<T>>, Error> {
        if self.has_ended {
            return Ok(None);
        }
        let mut page = loop {
            match self.page().await {
                // Large things: fewer of them are read together.
                Err(Error::TooLong { .. }) if self.limit > 1 => self.limit /= 2,
                page => break page?,
            }
        };
        self.has_ended = page.len() < self.limit;
        self.offset += page.len() as u64;
        page.retain(|one| self.seen.insert(one.id()));
        // A server that repeats itself would never come to an end.
        self.has_ended |= page.is_empty();
        Ok(Some(page))
    }

    /// The ids of all of it.
    pub(super) async fn ids(mut self) -> Result<HashSet<Uuid>, Error> {
        while self.next().await?.is_some() {}
        Ok(self.seen)
    }

    async fn page(&self) -> Result<Vec<T>, Error> {
        let mut call = self
            .client
            .call(self.doing, self.class, Method::GET, &[self.path]);
        let mut pairs = call.url.query_pairs_mut();
        for (name, value) in &self.query {
            pairs.append_pair(name, value);
        }
        pairs
            .append_pair("limit", &self.limit.to_string())
            .append_pair("offset", &self.offset.to_string());
        drop(pairs);
        let answer = self.client.send(call).await?;
        self.client.read(self.doing, &answer)
    }
}
