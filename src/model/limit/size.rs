//! How many tokens a request has, before its provider counts them.

use std::io::{self, Write};

use serde::Serialize;

use crate::model::Request;

/// Bytes that a provider may put around each message, and around all of it: names of roles,
/// marks between messages, and what it tells a model about calling tools.
const AROUND_MESSAGE: u64 = 16;
const AROUND_REQUEST: u64 = 1024;

/// The bytes of everything in a request that a model reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(u64);

impl Size {
    pub fn of(request: &Request) -> Size {
        let mut bytes = request.prompt.system().len() as u64;
        bytes += request.prompt.tools().iter().map(json).sum::<u64>();
        for message in &request.messages {
            bytes += AROUND_MESSAGE + message.content.len() as u64;
            for call in &message.tool_calls {
                bytes += (call.id.len() + call.name.len()) as u64 + json(&call.arguments);
            }
            let names = [&message.tool_call_id, &message.name];
            bytes += names
                .into_iter()
                .flatten()
                .map(|name| name.len() as u64)
                .sum::<u64>();
        }
        if let Some(output) = &request.output {
            bytes += output.name.len() as u64 + json(&output.schema);
        }
        Size(bytes)
    }

    /// No tokeniser makes more of it: a token stands for a byte at least.
    pub fn most_tokens(self) -> u64 {
        self.0 + AROUND_REQUEST
    }

    /// About as many as there are; more than fewer, since English has four bytes a token.
    pub fn expected_tokens(self) -> u64 {
        self.0.div_ceil(3)
    }
}

/// The length of a value as JSON.
fn json(value: &impl Serialize) -> u64 {
    struct Counted(u64);
    impl Write for Counted {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += bytes.len() as u64;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut counted = Counted(0);
    serde_json::to_writer(&mut counted, value).expect("it has string keys only");
    counted.0
}
