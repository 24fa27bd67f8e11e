//! How providers differ on the wire, as data.

use super::endpoint::Endpoint;

/// How requests and replies are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// OpenAI's chat completions, which most other providers and servers speak too.
    OpenAi,
    /// Anthropic's messages.
    Anthropic,
    /// Gemini's `generateContent`.
    Google,
    /// Ollama's own `/api/chat`.
    Ollama,
}

/// How a provider wants to be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    pub family: Family,
    pub key_header: KeyHeader,
    /// The most tokens of a reply where the settings say none, and one has to be sent.
    pub default_max_tokens: Option<u32>,
    /// The field of the most tokens; of chat completions alone, as all below.
    pub max_tokens: &'static str,
    pub seed: &'static str,
    pub output: OutputFormat,
    /// Whether models think unless they are told not to, and then refuse a conversation in
    /// which their thoughts are missing, which ours does not keep.
    pub thinks_unless_told: bool,
}

/// The header that a key travels in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyHeader {
    /// `Authorization: Bearer KEY`.
    Bearer,
    /// The key alone, under this name.
    Plain(&'static str),
}

/// What a `response_format` may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputFormat {
    /// An object of a JSON Schema.
    Schema,
    /// Some JSON object: the schema is put into words, at the end of the system text.
    Object,
}

/// What most servers understand.
const COMMON: Dialect = Dialect {
    family: Family::OpenAi,
    key_header: KeyHeader::Bearer,
    default_max_tokens: None,
    max_tokens: "max_tokens",
    seed: "seed",
    output: OutputFormat::Schema,
    thinks_unless_told: false,
};

/// OpenAI's reasoning models refuse `max_tokens`; every model takes its successor.
/// Source: OpenAI API reference, "Create chat completion", `max_tokens`.
const OPENAI: Dialect = Dialect {
    max_tokens: "max_completion_tokens",
    ..COMMON
};

impl Dialect {
    /// How the provider of this name is asked at `endpoint`. One that is not known is asked
    /// for chat completions.
    pub fn of(provider: &str, endpoint: &Endpoint) -> Dialect {
        match provider {
            // Elsewhere `openai` means any server that speaks chat completions.
            "openai" if endpoint.is_at("api.openai.com") => OPENAI,
            "azure" => Dialect {
                key_header: KeyHeader::Plain("api-key"),
                ..OPENAI
            },
            "anthropic" => Dialect {
                family: Family::Anthropic,
                key_header: KeyHeader::Plain("x-api-key"),
                // A request without is refused. Our replies are decisions and emails.
                default_max_tokens: Some(4096),
                ..COMMON
            },
            "google" => Dialect {
                family: Family::Google,
                key_header: KeyHeader::Plain("x-goog-api-key"),
                ..COMMON
            },
            "ollama" => Dialect {
                family: Family::Ollama,
                ..COMMON
            },
            // Other fields are refused.
            // Source: Mistral API reference, "Chat", `random_seed`.
            "mistral" => Dialect {
                seed: "random_seed",
                ..COMMON
            },
            // Sources: DeepSeek API reference, "Create Chat Completion", `response_format`;
            // guide "Thinking Mode".
            "deepseek" => Dialect {
                output: OutputFormat::Object,
                thinks_unless_told: true,
                ..COMMON
            },
            _ => COMMON,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_asked_in_its_own_way_and_openai_elsewhere_in_the_common_one() {
        let bearer = KeyHeader::Bearer;
        for (provider, url, family, key_header, max_tokens) in [
            (
                "openai",
                "https://api.openai.com/v1",
                Family::OpenAi,
                bearer,
                "max_completion_tokens",
            ),
            (
                "openai",
                "https://eu.api.openai.com/v1",
                Family::OpenAi,
                bearer,
                "max_completion_tokens",
            ),
            (
                "openai",
                "http://127.0.0.1:8080/v1",
                Family::OpenAi,
                bearer,
                "max_tokens",
            ),
            (
                "azure",
                "https://r.openai.azure.com/openai/v1",
                Family::OpenAi,
                KeyHeader::Plain("api-key"),
                "max_completion_tokens",
            ),
            (
                "groq",
                "https://api.groq.com/openai/v1",
                Family::OpenAi,
                bearer,
                "max_tokens",
            ),
            (
                "anthropic",
                "https://gateway.test",
                Family::Anthropic,
                KeyHeader::Plain("x-api-key"),
                "max_tokens",
            ),
        ] {
            let dialect = Dialect::of(provider, &Endpoint::parse(url).unwrap());
            let found = (dialect.family, dialect.key_header, dialect.max_tokens);
            assert_eq!(found, (family, key_header, max_tokens), "{provider} {url}");
        }
    }
}
