//! Experiments, which the service calls sessions, by either of its two interfaces.
//!
//! The first is taken from those who use the hosted service on 1 July 2027; the second is not
//! everywhere yet. Which one answers is found out here, and nowhere else.

use reqwest::Method;
use serde::Serialize;
use uuid::Uuid;

use super::pace::Class;
use super::{Answer, Client, Error, Version};
use crate::langsmith::wire::{NewSession, Session, SessionUpdate};

/// What came of making an experiment.
#[derive(Clone, Debug, PartialEq)]
pub enum Created {
    New(Session),
    /// One of this id is there: only who derives the same ids makes it.
    Ours(Session),
    /// Another has the name.
    NameTaken,
}

/// The second interface wants to know what a session is for.
#[derive(Serialize)]
struct Typed<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(flatten)]
    session: &'a NewSession,
}

impl Client {
    /// An experiment, where it is there; with counts and means of what it holds on request,
    /// which lag by seconds.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn session(&self, id: Uuid, with_stats: bool) -> Result<Option<Session>, Error> {
        const DOING: &str = "read an experiment";
        let path = [id.to_string()];
        let query = with_stats.then_some(("include_stats", "true"));
        let answer = self
            .ask_sessions(DOING, Method::GET, &path, query, |_| None::<()>)
            .await?;
        match answer.status {
            404 => Ok(None),
            _ => self.read(DOING, &answer).map(Some),
        }
    }

    /// # Errors
    /// See [`Error`].
    pub async fn create_session(&self, session: &NewSession) -> Result<Created, Error> {
        const DOING: &str = "make an experiment";
        let body = |version| {
            Some(match version {
                Version::V1 => serde_json::to_value(session),
                Version::V2 => serde_json::to_value(Typed {
                    kind: "EXPERIMENT",
                    session,
                }),
            })
            .map(|value| value.expect("a session is JSON"))
        };
        let answer = self
            .ask_sessions(DOING, Method::POST, &[], None, body)
            .await?;
        if answer.status != 409 {
            return self.read(DOING, &answer).map(Created::New);
        }
        // Also where the first try made it, and its answer was lost.
        Ok(match self.session(session.id, false).await? {
            Some(found) => Created::Ours(found),
            None => Created::NameTaken,
        })
    }

    /// # Errors
    /// See [`Error`].
    pub async fn update_session(&self, id: Uuid, update: &SessionUpdate) -> Result<(), Error> {
        const DOING: &str = "change an experiment";
        let path = [id.to_string()];
        let answer = self
            .ask_sessions(DOING, Method::PATCH, &path, None, |_| Some(update))
            .await?;
        match answer.is_success() {
            true => Ok(()),
            false => Err(self.refused(DOING, &answer)),
        }
    }

    /// Asks the interface that is known to answer, or the first and then the second.
    async fn ask_sessions<B: Serialize>(
        &self,
        doing: &'static str,
        method: Method,
        path: &[String],
        query: Option<(&str, &str)>,
        body: impl Fn(Version) -> Option<B>,
    ) -> Result<Answer, Error> {
        let way = &self.0.ways.sessions;
        let send = async |version| {
            let mut path: Vec<&str> = path.iter().map(String::as_str).collect();
            path.insert(0, "sessions");
            let mut call = self.call(doing, Class::Other, method.clone(), &path);
            if version == Version::V2 {
                call.url = self.v2(&path);
            }
            if let Some((name, value)) = query {
                call.url.query_pairs_mut().append_pair(name, value);
            }
            call.body = body(version).map(|body| self.json(&body));
            self.send(call).await
        };
        if let Some(version) = way.known() {
            return send(version).await;
        }
        let first = send(Version::V1).await?;
        match first.status {
            // What is missing may be the session as well as the interface.
            404 | 410 | 501 => {
                let second = send(Version::V2).await;
                match second {
                    Ok(second) if second.is_success() || second.status == 409 => {
                        way.learn(Version::V2);
                        Ok(second)
                    }
                    _ if first.status == 410 => second,
                    // It is there, and says what is wrong with what it was sent.
                    Ok(second) if method != Method::GET && matches!(second.status, 400 | 422) => {
                        Ok(second)
                    }
                    // There is no second interface, or the way to it is barred: what the
                    // first one says counts.
                    Ok(_) | Err(_) => Ok(first),
                }
            }
            status => {
                if first.is_success() || status == 409 {
                    way.learn(Version::V1);
                }
                Ok(first)
            }
        }
    }
}
