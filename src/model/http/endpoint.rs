//! Where models are asked.

use std::fmt;
use std::io;
use std::net::{IpAddr, TcpStream};
use std::time::Duration;

use reqwest::Url;

/// A base URL: `http` or `https`, without user name, password, or fragment.
///
/// Shown without its query, in which some gateways carry keys.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Endpoint(Url);

/// Why a text is no base URL. The text is not repeated: it may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadUrl {
    #[error("is no URL ({0}); use one such as `http://127.0.0.1:8080/v1`")]
    Malformed(String),
    #[error("starts with neither `http://` nor `https://`")]
    Scheme,
    #[error("holds a user name or password; a key belongs in its own variable")]
    Credentials,
    #[error("has a part after `#`, which is never sent")]
    Fragment,
}

impl Endpoint {
    /// # Errors
    /// See [`BadUrl`].
    pub fn parse(text: &str) -> Result<Endpoint, BadUrl> {
        let text = text.trim();
        // `localhost:8080` would parse, as the scheme `localhost`.
        let schemed = ["http://", "https://"].iter().any(|scheme| {
            let start = text.get(..scheme.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        });
        if !schemed {
            return Err(BadUrl::Scheme);
        }
        let url = Url::parse(text).map_err(|error| BadUrl::Malformed(error.to_string()))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(BadUrl::Credentials);
        }
        if url.fragment().is_some() {
            return Err(BadUrl::Fragment);
        }
        Ok(Endpoint(url))
    }

    /// What Ollama's own programs read from `OLLAMA_HOST`: an address, a port, or a URL, of
    /// which any part may be missing. A `/v1` at the end, where Ollama speaks chat
    /// completions, is left out.
    /// Source: Ollama FAQ, "How do I configure Ollama server?".
    ///
    /// # Errors
    /// See [`BadUrl`].
    pub fn ollama(text: &str) -> Result<Endpoint, BadUrl> {
        const HOST: &str = "127.0.0.1";
        const PORT: u16 = 11434;
        let text = text.trim();
        let text = if text.contains("://") {
            text.to_owned()
        } else {
            let (host, path) = text.split_at(text.find('/').unwrap_or(text.len()));
            let address = host.rfind(']').map_or(0, |end| end + 1);
            let (name, port) = host.split_at(
                host[address..]
                    .find(':')
                    .map_or(host.len(), |at| address + at),
            );
            let name = if name.is_empty() { HOST } else { name };
            let port = match port {
                "" | ":" => format!(":{PORT}"),
                port => port.to_owned(),
            };
            format!("http://{name}{port}{path}")
        };
        let Endpoint(mut url) = Endpoint::parse(&text)?;
        if url.host_str() == Some("0.0.0.0") {
            // Where a server listens, which is no address to ask at everywhere.
            url.set_host(Some(HOST)).expect("an http URL takes a host");
        }
        if let Some(path) = url.path().trim_end_matches('/').strip_suffix("/v1") {
            let path = path.to_owned();
            url.set_path(&path);
        }
        Ok(Endpoint(url))
    }

    /// A resource of Azure OpenAI, such as `https://NAME.openai.azure.com`. Its current
    /// interface, `/openai/v1`, is asked unless there is a path; with a dated `version` it
    /// is the `deployment` that has an address.
    /// Source: Azure OpenAI, "API version lifecycle" and "REST API reference".
    ///
    /// # Errors
    /// See [`BadUrl`].
    pub fn azure(text: &str, deployment: &str, version: Option<&str>) -> Result<Endpoint, BadUrl> {
        let Endpoint(mut url) = Endpoint::parse(text)?;
        if !matches!(url.path(), "" | "/" | "/openai" | "/openai/") {
            return Ok(Endpoint(url));
        }
        url.set_path("/openai");
        let mut path = url.path_segments_mut().expect("an http URL has a path");
        match version {
            None => path.push("v1"),
            Some(_) => path.extend(["deployments", deployment]),
        };
        drop(path);
        if let Some(version) = version {
            url.query_pairs_mut().append_pair("api-version", version);
        }
        Ok(Endpoint(url))
    }

    /// The address of what lies below, by the segments of its path.
    pub fn below(&self, segments: &[&str]) -> Url {
        let mut url = self.0.clone();
        let mut path = url.path_segments_mut().expect("an http URL has a path");
        path.pop_if_empty().extend(segments);
        drop(path);
        url
    }

    /// The parts of its path.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        let segments = self.0.path().split('/');
        segments.filter(|segment| !segment.is_empty())
    }

    /// Whether it is at this host, or at one below, such as `eu.api.openai.com`.
    pub fn is_at(&self, host: &str) -> bool {
        let rest = self.host().strip_suffix(host);
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }

    pub fn host(&self) -> &str {
        self.0.host_str().expect("an http URL has a host")
    }

    pub fn is_encrypted(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Whether it is on this machine.
    pub fn is_loopback(&self) -> bool {
        let host = self.host();
        let address: Result<IpAddr, _> = host.trim_matches(['[', ']']).parse();
        host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }

    /// Connects and says nothing. Blocks, up to `timeout` for each address of the host.
    ///
    /// # Errors
    /// That of the last address tried, or the resolver's.
    pub fn probe(&self, timeout: Duration) -> io::Result<()> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for address in self.0.socket_addrs(|| None)? {
            match TcpStream::connect_timeout(&address, timeout) {
                Ok(_) => return Ok(()),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.0.scheme(), self.host())?;
        if let Some(port) = self.0.port() {
            write!(f, ":{port}")?;
        }
        f.write_str(self.0.path().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_keeps_its_path_and_query_and_shows_no_query() {
        for (text, shown, sent) in [
            (
                "http://127.0.0.1:8089/v1",
                "http://127.0.0.1:8089/v1",
                "http://127.0.0.1:8089/v1/chat/completions",
            ),
            (
                " HTTPS://Example.com/v1/ ",
                "https://example.com/v1",
                "https://example.com/v1/chat/completions",
            ),
            (
                "http://[::1]:80",
                "http://[::1]",
                "http://[::1]/chat/completions",
            ),
            (
                "https://x.test/a%20b?key=secret",
                "https://x.test/a%20b",
                "https://x.test/a%20b/chat/completions?key=secret",
            ),
        ] {
            let endpoint = Endpoint::parse(text).expect(text);
            assert_eq!(endpoint.to_string(), shown);
            assert_eq!(endpoint.below(&["chat", "completions"]).as_str(), sent);
        }
    }

    #[test]
    fn what_is_no_base_url_is_refused_without_being_repeated() {
        for (text, word) in [
            ("", "neither"),
            ("localhost:8080/v1", "neither"),
            ("ftp://hunter2/v1", "neither"),
            ("http://", "no URL"),
            ("http://hunter2:99999/", "no URL"),
            ("http://user:hunter2@host/v1", "user name"),
            ("http://hunter2@host/v1", "user name"),
            ("http://host/v1#hunter2", "after `#`"),
        ] {
            let error = Endpoint::parse(text).expect_err(text).to_string();
            assert!(error.contains(word), "{text}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn ollama_s_host_may_be_any_part_of_an_address() {
        for (text, shown) in [
            ("127.0.0.1", "http://127.0.0.1:11434"),
            ("0.0.0.0", "http://127.0.0.1:11434"),
            ("0.0.0.0:8000", "http://127.0.0.1:8000"),
            (":8000", "http://127.0.0.1:8000"),
            ("gpu.lan", "http://gpu.lan:11434"),
            ("gpu.lan:", "http://gpu.lan:11434"),
            ("gpu.lan/ollama", "http://gpu.lan:11434/ollama"),
            ("[::1]", "http://[::1]:11434"),
            ("[::1]:8000", "http://[::1]:8000"),
            ("http://gpu.lan", "http://gpu.lan"),
            ("https://gpu.lan/", "https://gpu.lan"),
            ("http://gpu.lan:11434/v1/", "http://gpu.lan:11434"),
            ("http://gpu.lan/ollama/v1", "http://gpu.lan/ollama"),
        ] {
            assert_eq!(
                Endpoint::ollama(text).expect(text).to_string(),
                shown,
                "{text}"
            );
        }
        for wrong in ["ftp://gpu.lan", "gpu.lan:port", "a b"] {
            Endpoint::ollama(wrong).expect_err(wrong);
        }
    }

    #[test]
    fn this_machine_is_known_by_its_addresses() {
        for (text, is) in [
            ("http://127.0.0.1:1", true),
            ("http://127.9.9.9", true),
            ("http://[::1]:1", true),
            ("http://localhost", true),
            ("http://10.0.0.1", false),
            ("http://127.0.0.1.example.com", false),
        ] {
            assert_eq!(Endpoint::parse(text).unwrap().is_loopback(), is, "{text}");
        }
    }

    #[test]
    fn an_azure_resource_is_asked_at_its_current_interface_or_at_a_dated_deployment() {
        let resource = "https://r.openai.azure.com";
        let old = "https://r.openai.azure.com/openai/deployments/d?api-version=2024-10-21";
        for (text, version, sent) in [
            (resource, None, "https://r.openai.azure.com/openai/v1/x"),
            (
                "https://r.openai.azure.com/openai/",
                None,
                "https://r.openai.azure.com/openai/v1/x",
            ),
            (
                "https://r.openai.azure.com/openai/v1",
                Some("ignored"),
                "https://r.openai.azure.com/openai/v1/x",
            ),
            (
                resource,
                Some("2024-10-21"),
                "https://r.openai.azure.com/openai/deployments/d/x?api-version=2024-10-21",
            ),
            (
                old,
                None,
                "https://r.openai.azure.com/openai/deployments/d/x?api-version=2024-10-21",
            ),
        ] {
            let endpoint = Endpoint::azure(text, "d", version).expect(text);
            assert_eq!(endpoint.below(&["x"]).as_str(), sent);
        }
    }

    #[test]
    fn a_host_is_at_home_at_its_own_name_and_below() {
        for (url, home) in [
            ("https://api.openai.com/v1", true),
            ("https://eu.api.openai.com/v1", true),
            ("https://notapi.openai.com/v1", false),
            ("http://127.0.0.1:8080/v1", false),
        ] {
            let endpoint = Endpoint::parse(url).unwrap();
            assert_eq!(endpoint.is_at("api.openai.com"), home, "{url}");
        }
    }
}
