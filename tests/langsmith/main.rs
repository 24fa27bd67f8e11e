//! Results sent to LangSmith, against a service on loopback that takes what its documents allow
//! and nothing else.
//!
//! `service` is that service; `server` puts it on the wire, where `faults` happen to it. The
//! other files are what holds of whole commands.

mod bench;
mod broken;
mod edited;
mod ended;
mod faults;
mod multipart;
mod pull;
mod pushed;
mod read_back;
mod refused;
mod request;
mod server;
mod service;
mod strictness;
