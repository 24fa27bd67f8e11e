//! Approval by one exact word, for what cannot be undone.

use futures_util::future::BoxFuture;

use crate::human::{Human, HumanError};
use crate::run::{Allowed, Interrupt, Response, Usage};

/// `interrupt` as a question for `word`: it takes a text, or no answer.
pub fn confirmation(interrupt: &Interrupt, word: &str) -> Interrupt {
    let asks = format!("To confirm, answer with exactly `{word}`. Anything else cancels.");
    let description = match &interrupt.description {
        Some(description) => format!("{asks}\n\n{description}"),
        None => asks,
    };
    Interrupt {
        allowed: Allowed {
            ignore: true,
            respond: true,
            ..Allowed::default()
        },
        description: Some(description),
        ..interrupt.clone()
    }
}

/// What the answer to [`confirmation`] means: accept for the word to the letter, ignore
/// for anything else.
pub fn confirmed(word: &str, response: &Response) -> Response {
    match response {
        Response::Respond(text) if text == word => Response::Accept,
        _ => Response::Ignore,
    }
}

/// Asks the person for a word wherever a plain yes would be taken.
pub struct Confirmed {
    human: Box<dyn Human>,
    word: String,
}

impl Confirmed {
    pub fn new(human: Box<dyn Human>, word: impl Into<String>) -> Confirmed {
        let word = word.into();
        Confirmed { human, word }
    }
}

impl Human for Confirmed {
    fn name(&self) -> &str {
        self.human.name()
    }

    fn respond<'a>(
        &'a mut self,
        interrupt: &'a Interrupt,
    ) -> BoxFuture<'a, Result<Response, HumanError>> {
        Box::pin(async move {
            if !interrupt.allowed.accept {
                return self.human.respond(interrupt).await;
            }
            let question = confirmation(interrupt, &self.word);
            let response = self.human.respond(&question).await?;
            Ok(confirmed(&self.word, &response))
        })
    }

    fn usage(&self) -> Usage {
        self.human.usage()
    }

    fn notes(&self) -> Vec<String> {
        self.human.notes()
    }
}
