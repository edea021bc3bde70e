//! What is spoken to whom: the caller's own dialect where the seat knows it, else one that
//! the request can be translated to.

use crate::{
    catalog::{Dialect, Operation, Quirk},
    snapshot::{Seat, SeatEndpoint},
};

/// The dialect in which `seat` is asked for `operation` by a caller of `caller`'s dialect;
/// `None` if it knows none in which that can be said.
pub fn speech(seat: &Seat, caller: Dialect, operation: Operation) -> Option<Dialect> {
    let offers = |it: &Dialect| seat.endpoint(*it).is_some_and(|it| offers(it, operation));
    understood(caller, operation).iter().copied().find(offers)
}

/// Whether who hosts the endpoint has the operation: less than its dialect's maker, perhaps.
fn offers(endpoint: &SeatEndpoint, operation: Operation) -> bool {
    let quirk = match (endpoint.dialect, operation) {
        (Dialect::Anthropic, Operation::CountTokens) => Quirk::BedrockInvoke,
        // Vertex makes vectors in words of its own, which nobody speaks here.
        (Dialect::Gemini, Operation::Embeddings) => Quirk::Vertex,
        _ => return true,
    };
    !endpoint.quirks.has(quirk)
}

/// What a caller's request can be said in: its own dialect first, for that keeps every byte,
/// then those that lose least.
const fn understood(caller: Dialect, operation: Operation) -> &'static [Dialect] {
    use Dialect::{Anthropic, Bedrock, Gemini, OpenAi, OpenAiResponses};
    match (operation, caller) {
        (Operation::Chat, OpenAi) => &[OpenAi, OpenAiResponses, Anthropic, Bedrock, Gemini],
        (Operation::Chat, OpenAiResponses) => {
            &[OpenAiResponses, Anthropic, Bedrock, Gemini, OpenAi]
        }
        (Operation::Chat, Anthropic) => &[Anthropic, Bedrock, OpenAiResponses, Gemini, OpenAi],
        (Operation::Chat, Gemini) => &[Gemini, Anthropic, Bedrock, OpenAiResponses, OpenAi],
        (Operation::Completions, OpenAi) => &[OpenAi, OpenAiResponses, Anthropic, Bedrock, Gemini],
        (Operation::Embeddings, OpenAi) => &[OpenAi, Gemini],
        (Operation::Embeddings, Gemini) => &[Gemini, OpenAi],
        (Operation::CountTokens, Anthropic) => &[Anthropic, Gemini],
        (Operation::CountTokens, Gemini) => &[Gemini, Anthropic],
        // Nobody can ask for these.
        (Operation::Chat, Bedrock)
        | (Operation::Completions, OpenAiResponses | Anthropic | Gemini | Bedrock)
        | (Operation::Embeddings, OpenAiResponses | Anthropic | Bedrock)
        | (Operation::CountTokens, OpenAi | OpenAiResponses | Bedrock) => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{AuthStyle, Quirks};

    #[track_caller]
    fn check((dialect, quirk): (Dialect, Quirk), lacks: &[Operation]) {
        for operation in Operation::ALL {
            let endpoint = SeatEndpoint {
                dialect,
                base_url: "https://h".into(),
                auth: AuthStyle::Bearer,
                output_cap_field: "max_tokens".into(),
                quirks: Quirks::NONE.with(quirk),
            };
            let expected = !lacks.contains(&operation);
            assert_eq!(offers(&endpoint, operation), expected, "{dialect} {quirk} {operation:?}");
        }
    }

    #[test]
    fn who_hosts_another_s_dialect_may_have_less_of_it() {
        check((Dialect::Anthropic, Quirk::BedrockInvoke), &[Operation::CountTokens]);
        check((Dialect::Anthropic, Quirk::Vertex), &[]);
        check((Dialect::Gemini, Quirk::Vertex), &[Operation::Embeddings]);
    }

    #[test]
    fn a_caller_s_own_dialect_comes_first_wherever_it_can_ask() {
        for caller in Dialect::ALL {
            for operation in Operation::ALL {
                let understood = understood(caller, operation);
                assert!(
                    understood.first().is_none_or(|it| *it == caller),
                    "{caller} {operation:?}"
                );
                let mut once = understood.to_vec();
                once.sort_unstable();
                once.dedup();
                assert_eq!(once.len(), understood.len());
            }
        }
    }
}
