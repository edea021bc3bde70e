//! What has to be refused in each dialect, and what has not.

use super::*;
use serde_json::json;

#[track_caller]
fn check(told: Result<(), String>, word: &str) {
    match (told, word) {
        (Ok(()), "") => {}
        (Err(why), word) if !word.is_empty() && why.contains(word) => {}
        (told, word) => panic!("{told:?} where `{word}` was expected"),
    }
}

fn with(mut body: Value, more: Value) -> Value {
    let Value::Object(more) = more else { panic!("{more}") };
    body.as_object_mut().unwrap().extend(more);
    body
}

#[test]
fn chat_completions() {
    let plain = json!({"model": "m", "messages": [{"role": "user", "content": "x"}]});
    let call = json!({"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let asked = json!({"role": "user", "content": "x"});
    let called = json!({"role": "assistant", "content": null, "tool_calls": [call]});
    let told = |id: &str| json!({"role": "tool", "tool_call_id": id, "content": "y"});
    let tool = json!({"type": "function", "function": {"name": "f", "strict": true,
                      "parameters": {"type": "object", "properties": {"a": {"type": "string"}}}}});
    for (more, word) in [
        (json!({}), ""),
        (json!({"top_k": 3}), "Unrecognized"),
        (json!({"tool_choice": "auto"}), "tools"),
        (json!({"stream_options": {}}), "stream_options"),
        (json!({"messages": [asked, called, told("a")]}), ""),
        (json!({"messages": [asked, called]}), "tool calls"),
        (json!({"messages": [asked, called, told("b")]}), "preceeding"),
        (json!({"messages": [asked, called, asked]}), "followed by tool messages"),
        (json!({"messages": [{"role": "user", "content": []}]}), "empty"),
        (
            json!({"messages": [{"role": "assistant", "content": "x", "reasoning_content": "y"}]}),
            "unknown",
        ),
        (json!({"tools": [tool]}), "additionalProperties"),
    ] {
        check(openai::chat(&with(plain.clone(), more)), word);
    }
}

#[test]
fn responses_are_checked() {
    let call = json!({"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"});
    let output = json!({"type": "function_call_output", "call_id": "a", "output": "y"});
    let thought =
        |state: &str| json!({"type": "reasoning", "summary": [], "encrypted_content": state});
    for (more, word) in [
        (json!({"input": "x"}), ""),
        (json!({}), "input"),
        (json!({"input": "x", "messages": []}), "messages"),
        (json!({"input": "x", "max_output_tokens": 3}), "max_output_tokens"),
        (json!({"input": [call, output]}), ""),
        (json!({"input": [call]}), "No tool output"),
        (json!({"input": [output]}), "No tool call"),
        (json!({"input": [output], "previous_response_id": "resp_1"}), ""),
        (json!({"input": [thought(responses::STATE), {"role": "user", "content": "x"}]}), ""),
        (json!({"input": [thought("other")]}), "could not be verified"),
        (json!({"input": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]}), "text"),
    ] {
        check(responses::create(&with(json!({"model": "m"}), more)), word);
    }
}

#[test]
fn messages_are_checked() {
    let plain =
        json!({"model": "m", "max_tokens": 3000, "messages": [{"role": "user", "content": "x"}]});
    let asked = json!({"role": "user", "content": "x"});
    let said = |blocks: Value| json!({"role": "assistant", "content": blocks});
    let call = json!({"type": "tool_use", "id": "a", "name": "f", "input": {}});
    let thought = |state: &str| json!({"type": "thinking", "thinking": "", "signature": state});
    let told = |id: &str| json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": "y"}]});
    let thinks = json!({"type": "enabled", "budget_tokens": 1024});
    let signed = anthropic::SIGNATURE;
    for (more, word) in [
        (json!({}), ""),
        (json!({"seed": 1}), "Extra inputs"),
        (json!({"temperature": 1.5}), "temperature"),
        (json!({"tool_choice": {"type": "auto"}}), "providing tools"),
        (json!({"thinking": thinks, "max_tokens": 1024}), "greater than"),
        (json!({"thinking": thinks, "temperature": 0.5}), "set to 1"),
        (json!({"messages": [asked, said(json!([call])), told("a")]}), ""),
        (json!({"messages": [asked, said(json!([call]))]}), "without `tool_result`"),
        (json!({"messages": [asked, said(json!([call])), told("b")]}), "unexpected"),
        (json!({"messages": [asked, said(json!([thought("x")]))]}), "Invalid `signature`"),
        (
            json!({"thinking": thinks, "messages": [asked, said(json!([call])), told("a")]}),
            "must start with",
        ),
        (
            json!({"thinking": thinks,
                   "messages": [asked, said(json!([thought(signed), call])), told("a")]}),
            "",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "text", "text": " "}]}]}),
            "non-empty",
        ),
    ] {
        check(anthropic::messages(&with(plain.clone(), more)), word);
    }
}

#[test]
fn googles_names_have_two_forms_and_the_callers_own_have_theirs() {
    let body = json!({"generation_config": {"max_output_tokens": 1, "responseJsonSchema": {"a_b": 1}},
                      "tools": [{"function_declarations": [{"parameters_json_schema": {"c_d": 2}}]}]});
    let expected = json!({"generationConfig": {"maxOutputTokens": 1, "responseJsonSchema": {"a_b": 1}},
                          "tools": [{"functionDeclarations": [{"parametersJsonSchema": {"c_d": 2}}]}]});
    assert_eq!(camel(&body), expected);
}

#[test]
fn generated_content_is_checked() {
    let asked = json!({"role": "user", "parts": [{"text": "x"}]});
    let call = |state: &str| {
        json!({"role": "model", "parts": [
            {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": state}]})
    };
    let bare = json!({"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]});
    let told = |name: &str| json!({"role": "user", "parts": [{"functionResponse": {"name": name, "response": {}}}]});
    let declared = |schema: Value| {
        json!({"contents": [asked],
               "tools": [{"functionDeclarations": [{"name": "f", "parameters": schema}]}]})
    };
    for (body, word) in [
        (json!({"contents": [asked]}), ""),
        (json!({"contents": []}), "contents"),
        (json!({"contents": [asked], "model": "m"}), "unknown field"),
        (json!({"contents": [asked], "generationConfig": {"max_tokens": 1}}), "unknown field"),
        (json!({"contents": [asked, call(gemini::SIGNATURE), told("f")]}), ""),
        (json!({"contents": [asked, call("other"), told("f")]}), "not valid"),
        (json!({"contents": [asked, bare, told("f")]}), "missing a thought_signature"),
        (json!({"contents": [asked, call(gemini::SIGNATURE), told("g")]}), "names no function"),
        (json!({"contents": [asked, told("f")]}), "immediately after"),
        (json!({"contents": [asked, call(gemini::SIGNATURE), asked]}), "number of function"),
        (declared(json!({"type": "object", "additionalProperties": false})), "Unknown name"),
        (declared(json!({"type": "object", "properties": {"a": {"type": "string"}}})), ""),
        (
            json!({"contents": [asked], "generationConfig": {"responseJsonSchema": {}}}),
            "response_mime_type",
        ),
    ] {
        check(gemini::generating(&body, "gemini-3-pro"), word);
    }
    check(gemini::generating(&json!({"contents": [asked, bare, told("f")]}), "gemini-2.5-pro"), "");
}
