//! What time it is at a server.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::DATE;

use super::failure::causes;
use super::{CONNECT_TIMEOUT, Connections, Endpoint, headers};

/// What a server said to a request for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// Its time, in whole seconds, where it tells it.
    pub date: Option<Timestamp>,
}

impl Connections {
    /// Sends a `HEAD` without a key. Whatever a server answers, it is there.
    ///
    /// # Errors
    /// Nobody answered within `limit`.
    pub async fn greet(&self, endpoint: &Endpoint, limit: Duration) -> Result<Greeting, String> {
        let client = self.client(endpoint, CONNECT_TIMEOUT)?;
        let request = client.head(endpoint.below(&[])).timeout(limit);
        let response = request.send().await;
        let response = response.map_err(|error| causes(&error.without_url()))?;
        let date = response.headers().get(DATE);
        Ok(Greeting {
            date: date.and_then(|date| headers::date(date.to_str().ok()?)),
        })
    }
}
