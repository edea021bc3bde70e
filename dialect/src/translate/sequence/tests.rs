use super::*;
use crate::{
    chat::{Block, Call, CallInput, Citation, Content, Delta, Opaque, Part},
    json::Json,
};
use domain::catalog::Dialect;

mod random;

fn text(text: &str) -> Event {
    Event::Text { choice: 0, text: text.to_owned(), logprobs: None }
}

fn thinking(text: &str) -> Event {
    Event::Thinking { choice: 0, text: text.to_owned() }
}

fn opaque(data: &str) -> Opaque {
    Opaque { origin: Dialect::Anthropic, data: data.to_owned() }
}

fn state(data: &str, redacted: bool) -> Event {
    Event::ThinkingState { choice: 0, opaque: opaque(data), redacted }
}

fn call(slot: u64, id: &str, name: &str) -> Event {
    let (id, name) = (id.to_owned(), name.to_owned());
    Event::CallStart { choice: 0, slot, id, name, namespace: None, custom: false, opaque: None }
}

fn custom(slot: u64) -> Event {
    let (id, name) = (format!("c{slot}"), "patch".to_owned());
    let (namespace, opaque) = (Some("ns".to_owned()), None);
    Event::CallStart { choice: 0, slot, id, name, namespace, custom: true, opaque }
}

fn input(slot: u64, text: &str) -> Event {
    Event::CallInput { choice: 0, slot, text: text.to_owned() }
}

fn call_end(slot: u64) -> Event {
    Event::CallEnd { choice: 0, slot }
}

fn stop(stop: Stop) -> Event {
    Event::Stop { choice: 0, stop }
}

const BLOCK_END: Event = Event::BlockEnd { choice: 0 };

/// All steps, with the connection's end behind the events.
fn steps(events: impl IntoIterator<Item = Event>) -> Vec<Step> {
    let (mut sequencer, mut out) = (Sequencer::new("req_1"), Vec::new());
    events.into_iter().for_each(|it| sequencer.push(it, &mut out));
    sequencer.finish(&mut out);
    out
}

/// A step in a few letters.
fn told(step: &Step) -> String {
    match step {
        Step::Start(start) => format!("start {}", start.id),
        Step::Open { index, block, .. } => match block {
            Block::Text => format!("{index} text"),
            Block::Refusal => format!("{index} refusal"),
            Block::Thinking => format!("{index} thinking"),
            Block::Redacted(opaque) => format!("{index} redacted {}", opaque.data),
            Block::Call { number, id, name, .. } => format!("{index} call {number} {id} {name}"),
        },
        Step::Delta { index, delta, .. } => match delta {
            Delta::Text { text, .. } | Delta::Refusal(text) | Delta::Thinking(text) => {
                format!("{index} + {text}")
            }
            Delta::Cite(citation) => format!("{index} cite {}", citation.url),
            Delta::State(opaque) => format!("{index} state {}", opaque.data),
            Delta::Input(text) => format!("{index} + {text}"),
        },
        Step::Close { index, whole, .. } => format!("{index} = {}", whole_text(whole)),
        Step::Stop { choice, stop } => format!("stop {choice} {stop:?}"),
        Step::Ping => "ping".to_owned(),
        Step::End { usage, tier } => {
            format!("end {:?} {tier:?}", usage.map(|it| (it.input, it.output)))
        }
        Step::Failed(failure) => format!("failed {:?}", failure.kind),
    }
}

fn whole_text(part: &Part) -> String {
    match &part.content {
        Content::Text(it) => it.text.clone(),
        Content::Refusal(text) => text.clone(),
        Content::Thinking(it) => {
            let state = it.opaque.as_ref().map_or("-", |it| &it.data);
            format!("{} {state}{}", it.text, if it.redacted { " redacted" } else { "" })
        }
        Content::Call(Call { input: CallInput::Json(json), .. }) => json.as_str().to_owned(),
        Content::Call(Call { input: CallInput::Text(text), .. }) => format!("text {text}"),
        Content::Image(_) | Content::Audio { .. } | Content::Document(_) | Content::Result(_) => {
            panic!("{part:?}")
        }
    }
}

/// What the events of one answer, behind its start and before its stop, make of it.
#[track_caller]
fn check(events: impl IntoIterator<Item = Event>, expected: &[&str]) {
    let steps = steps(events.into_iter().chain([stop(Stop::Sequence(None)), Event::End]));
    random::assert_strict(&steps);
    let all: Vec<_> = steps.iter().map(told).collect();
    let [first, inner @ .., second_last, last] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!(first, "start ");
    assert_eq!(inner, expected);
    assert_eq!((second_last.as_str(), last.as_str()), ("stop 0 Sequence(None)", "end None None"));
}

#[test]
fn text_thoughts_and_refusals_follow_each_other() {
    let refusal = Event::Refusal { choice: 0, text: "no".to_owned() };
    check(
        [thinking("a"), thinking("b"), text("c"), text(""), text("d"), refusal, text("e")],
        &[
            "0 thinking",
            "0 + a",
            "0 + b",
            "0 = ab -",
            "1 text",
            "1 + c",
            "1 + d",
            "1 = cd",
            "2 refusal",
            "2 + no",
            "2 = no",
            "3 text",
            "3 + e",
            "3 = e",
        ],
    );
    check([text(""), thinking(""), BLOCK_END], &[]);
}

#[test]
fn a_blocks_end_parts_what_would_be_one() {
    check(
        [text("a"), BLOCK_END, BLOCK_END, text("b"), BLOCK_END],
        &["0 text", "0 + a", "0 = a", "1 text", "1 + b", "1 = b"],
    );
}

#[test]
fn the_state_of_a_thought_ends_it_and_stands_alone_without_one() {
    check(
        [thinking("a"), state("s", false), thinking("b"), text("c")],
        &[
            "0 thinking",
            "0 + a",
            "0 state s",
            "0 = a s",
            "1 thinking",
            "1 + b",
            "1 = b -",
            "2 text",
            "2 + c",
            "2 = c",
        ],
    );
    check(
        [state("s", false), text("c"), state("t", false)],
        &[
            "0 thinking",
            "0 state s",
            "0 =  s",
            "1 text",
            "1 + c",
            "1 = c",
            "2 thinking",
            "2 state t",
            "2 =  t",
        ],
    );
    check(
        [thinking("a"), state("r", true), state("q", true)],
        &[
            "0 thinking",
            "0 + a",
            "0 = a -",
            "1 redacted r",
            "1 =  r redacted",
            "2 redacted q",
            "2 =  q redacted",
        ],
    );
}

#[test]
fn sources_belong_to_the_text_and_may_come_before_it() {
    let cite = |url: &str| {
        let (title, quote, range) = (None, None, None);
        let citation = Citation { url: url.to_owned(), title, quote, range };
        Event::Cite { choice: 0, citation }
    };
    check([cite("u"), text("a"), cite("v")], &["0 text", "0 cite u", "0 + a", "0 cite v", "0 = a"]);
    let steps = steps([text("a"), cite("u"), stop(Stop::End)]);
    let whole = steps.iter().find_map(|it| {
        if let Step::Close { whole: Part { content: Content::Text(text), .. }, .. } = it {
            Some(text)
        } else {
            None
        }
    });
    assert_eq!(whole.unwrap().citations[0].url, "u");
}

#[test]
fn calls_one_after_the_other_are_told_as_they_come() {
    let (mut sequencer, mut out) = (Sequencer::new("req_1"), Vec::new());
    for (event, expected) in [
        (call(0, "a", "f"), vec!["start ", "0 call 0 a f"]),
        (input(0, ""), vec![]),
        (input(0, "{\"x"), vec!["0 + {\"x"]),
        (input(0, "\":1}"), vec!["0 + \":1}", "0 = {\"x\":1}"]),
        (call(1, "b", "g"), vec!["1 call 1 b g"]),
        (input(1, "{\"y\":2}"), vec!["1 + {\"y\":2}", "1 = {\"y\":2}"]),
        (text("t"), vec!["2 text", "2 + t"]),
    ] {
        sequencer.push(event, &mut out);
        assert_eq!(out.drain(..).map(|it| told(&it)).collect::<Vec<_>>(), expected);
    }
}

/// Bug 2 and bug 4 of the list (litellm live, praxis-proxy/ai#266, goose#11637): parallel calls
/// that interleave.
#[test]
fn calls_that_interleave_are_told_one_after_the_other() {
    let expected = [
        "0 call 0 a f",
        "0 + {\"x\"",
        "0 + :1}",
        "0 = {\"x\":1}",
        "1 call 1 b g",
        "1 + {\"y\":2}",
        "1 = {\"y\":2}",
        "2 text",
        "2 + t",
        "2 = t",
    ];
    let events = [
        call(7, "a", "f"),
        call(9, "b", "g"),
        input(7, "{\"x\""),
        input(9, "{\"y\""),
        text("t"),
        input(9, ":2}"),
        input(7, ":1}"),
    ];
    check(events.clone(), &expected);
    // However it is marked that they end.
    check(events.into_iter().chain([call_end(9), call_end(7), BLOCK_END]), &expected);
}

#[test]
fn words_in_the_middle_of_a_call_wait_for_its_end() {
    check(
        [call(0, "a", "f"), input(0, "{\"x\":"), text("b"), text("c"), input(0, "1}")],
        &["0 call 0 a f", "0 + {\"x\":", "0 + 1}", "0 = {\"x\":1}", "1 text", "1 + bc", "1 = bc"],
    );
    // Free text has no end of its own.
    check(
        [custom(0), input(0, "p"), text("b"), input(0, "q"), call_end(0), text("c")],
        &[
            "0 call 0 c0 patch",
            "0 + p",
            "0 + q",
            "0 = text pq",
            "1 text",
            "1 + b",
            "1 + c",
            "1 = bc",
        ],
    );
}

/// Bug 6 of the list (litellm#5063, agentgateway#3002, kimi-cli#1764): calls without arguments.
#[test]
fn no_input_is_an_empty_object_told_once() {
    let expected = ["0 call 0 a f", "0 + {}", "0 = {}"];
    check([call(0, "a", "f")], &expected);
    check([call(0, "a", "f"), call_end(0)], &expected);
    for pieces in [vec!["{}"], vec!["", "{", "}"], vec!["null"], vec!["\"\""], vec!["{}", "{}"]] {
        let inputs = pieces.iter().map(|it| input(0, it));
        check([call(0, "a", "f")].into_iter().chain(inputs), &expected);
    }
    check([custom(0)], &["0 call 0 c0 patch", "0 = text "]);
}

#[test]
fn an_input_that_is_no_object_is_told_and_kept_as_it_came() {
    check(
        [call(0, "a", "f"), input(0, "{\"x\":"), call_end(0), input(0, "1}")],
        &["0 call 0 a f", "0 + {\"x\":", "0 = text {\"x\":"],
    );
    check([call(0, "a", "f"), input(0, "[1]")], &["0 call 0 a f", "0 + [1]", "0 = text [1]"]);
}

#[test]
fn a_start_that_says_nothing_new_goes_on_with_the_call() {
    let expected = ["0 call 0 a f", "0 + {\"x\"", "0 + :1}", "0 = {\"x\":1}"];
    for again in [call(0, "a", "f"), call(0, "", ""), call(0, "a", ""), call(0, "", "f")] {
        check([call(0, "a", "f"), input(0, "{\"x\""), again.clone(), input(0, ":1}")], &expected);
    }
    // And of a call that is whole it is no new one.
    for again in [call(0, "a", "f"), call(0, "", "")] {
        let end = [again, input(0, "{}"), call_end(0)];
        let events = [call(0, "a", "f"), input(0, "{\"x\""), input(0, ":1}")];
        check(events.into_iter().chain(end), &expected);
    }
}

/// Bug 2 of the list (sub2api#4294, headroom#2890): all calls in one slot.
#[test]
fn another_call_in_the_same_slot_is_another_call() {
    check(
        [call(0, "a", "f"), input(0, "{\"x\":1}"), call(0, "b", "f"), input(0, "{\"x\":2}")],
        &[
            "0 call 0 a f",
            "0 + {\"x\":1}",
            "0 = {\"x\":1}",
            "1 call 1 b f",
            "1 + {\"x\":2}",
            "1 = {\"x\":2}",
        ],
    );
    let ids = [invented(0), invented(1)];
    check(
        [call(0, "", "f"), input(0, "{\"x\":1}"), call(0, "", "f"), input(0, "{\"x\":2}")],
        &[
            &format!("0 call 0 {} f", ids[0]),
            "0 + {\"x\":1}",
            "0 = {\"x\":1}",
            &format!("1 call 1 {} f", ids[1]),
            "1 + {\"x\":2}",
            "1 = {\"x\":2}",
        ],
    );
}

fn invented(number: u32) -> String {
    call_ids::invented("req_1", 0, number)
}

#[test]
fn a_call_opens_when_its_tool_is_named() {
    check(
        [call(0, "a", ""), input(0, "{\"x\":"), call(0, "", "f"), input(0, "1}")],
        &["0 call 0 a f", "0 + {\"x\":", "0 + 1}", "0 = {\"x\":1}"],
    );
    let steps = steps([call(0, "a", ""), input(0, "{}"), stop(Stop::Calls)]);
    assert_eq!(told(steps.last().unwrap()), "failed UpstreamFailed");
}

#[test]
fn an_input_without_a_call_is_nonsense() {
    let steps = steps([text("a"), input(3, "x"), text("b")]);
    assert_eq!(told(steps.last().unwrap()), "failed UpstreamFailed");
    assert_eq!(steps.len(), 4);
}

#[test]
fn what_is_known_of_the_start_is_told_with_the_first_other_thing() {
    let start = |id: &str, model: &str| {
        let usage = Some(Tokens { input: 5, ..Tokens::default() });
        let (id, model) = (id.to_owned(), model.to_owned());
        Event::Start(Start { id, model, created: Some(1), usage })
    };
    let (mut sequencer, mut out) = (Sequencer::new("req_1"), Vec::new());
    assert!(!sequencer.is_known());
    for event in [Event::Ping, start("", "m"), Event::Ping, start("a", "n"), text("")] {
        sequencer.push(event, &mut out);
    }
    assert!(out.is_empty() && sequencer.is_known());
    sequencer.push(text("x"), &mut out);
    let usage = Some(Tokens { input: 5, ..Tokens::default() });
    let (id, model) = ("a".to_owned(), "m".to_owned());
    assert_eq!(out[0], Step::Start(Start { id, model, created: Some(1), usage }));
    sequencer.push(start("b", "m"), &mut out);
    sequencer.push(Event::Ping, &mut out);
    assert_eq!(out[1..].iter().map(told).collect::<Vec<_>>(), ["0 text", "0 + x", "ping"]);
}

/// Bug 1 of the list: usage that comes behind the finish was not told.
#[test]
fn usage_and_tier_are_told_at_the_end_as_they_were_last() {
    let usage = |input, output| Event::Usage(Tokens { input, output, ..Tokens::default() });
    let events = [usage(1, 0), text("a"), usage(5, 2), stop(Stop::End), usage(5, 3)];
    let steps = steps(events.into_iter().chain([Event::Tier("flex".to_owned()), Event::End]));
    assert_eq!(told(steps.last().unwrap()), "end Some((5, 3)) Some(\"flex\")");
    let Step::Start(start) = &steps[0] else { panic!("{:?}", steps[0]) };
    assert_eq!(start.usage.unwrap().input, 1);
}

/// Bug 5 of the list (litellm#34692, #21041, #22900): `stop` though there are calls, and the
/// reverse.
#[test]
fn why_it_ended_agrees_with_its_calls() {
    let last = |events: Vec<Event>| told(steps(events).iter().rev().nth(1).unwrap());
    assert_eq!(last(vec![call(0, "a", "f"), stop(Stop::End)]), "stop 0 Calls");
    assert_eq!(last(vec![text("a"), stop(Stop::Calls)]), "stop 0 End");
    assert_eq!(last(vec![call(0, "a", "f"), stop(Stop::Length)]), "stop 0 Length");
    // Bug 40 of the list (hass_local_openai_llm#92): the first of two holds.
    assert_eq!(last(vec![text("a"), stop(Stop::Length), stop(Stop::End)]), "stop 0 Length");
    // The mark of the end says that it ended, though not why.
    assert_eq!(last(vec![call(0, "a", "f"), Event::End]), "stop 0 Calls");
}

/// Bug 40 of the list: what came behind the first of two finishes was lost.
#[test]
fn what_comes_behind_the_reason_still_belongs_to_the_answer() {
    let steps = steps([text("a"), stop(Stop::End), text("b"), stop(Stop::End)]);
    let told: Vec<_> = steps.iter().map(told).collect();
    assert_eq!(
        told,
        ["start ", "0 text", "0 + a", "0 + b", "0 = ab", "stop 0 End", "end None None"]
    );
}

/// Bug 28 of the list (litellm#32475, OmniRoute#7699, any-llm#847): a clean end that was none.
#[test]
fn a_stream_that_breaks_off_fails_and_tells_nothing_more() {
    for events in [vec![], vec![text("a")], vec![call(0, "a", "f"), input(0, "{\"x\":")]] {
        let steps = steps(events);
        assert_eq!(told(steps.last().unwrap()), "failed UpstreamTruncated");
        assert!(!steps.iter().any(|it| matches!(it, Step::Stop { .. } | Step::Close { .. })));
        assert!(matches!(steps[0], Step::Start(_)));
    }
    assert_eq!(told(steps([Event::End]).last().unwrap()), "failed UpstreamTruncated");
    // One of two answers has not ended.
    let other = Event::Text { choice: 1, text: "b".to_owned(), logprobs: None };
    let last = steps([text("a"), other.clone(), stop(Stop::End)]);
    assert_eq!(told(last.last().unwrap()), "failed UpstreamTruncated");
    let ends = [Event::Stop { choice: 1, stop: Stop::End }, stop(Stop::End)];
    let last = steps([text("a"), other].into_iter().chain(ends));
    assert_eq!(told(last.last().unwrap()), "end None None");
}

#[test]
fn nothing_follows_an_end_or_a_failure() {
    let failed = || Event::Failed(truncated());
    for terminal in [vec![stop(Stop::End), Event::End], vec![failed()]] {
        let (mut sequencer, mut out) = (Sequencer::new("req_1"), Vec::new());
        terminal.into_iter().for_each(|it| sequencer.push(it, &mut out));
        let count = out.len();
        for event in [text("a"), Event::Ping, Event::End, failed(), call(0, "a", "f")] {
            sequencer.push(event, &mut out);
        }
        sequencer.finish(&mut out);
        sequencer.fail(truncated(), &mut out);
        assert_eq!(out.len(), count);
    }
}

#[test]
fn several_answers_have_each_their_blocks_and_calls() {
    let of = |choice, text: &str| Event::Text { choice, text: text.to_owned(), logprobs: None };
    let steps = steps([
        of(1, "b"),
        of(0, "a"),
        of(1, "c"),
        Event::Stop { choice: 1, stop: Stop::Length },
        of(0, "d"),
        stop(Stop::End),
        Event::End,
    ]);
    random::assert_strict(&steps);
    let told: Vec<_> = steps.iter().skip(7).map(told).collect();
    assert_eq!(told, ["0 = ad", "stop 0 End", "0 = bc", "stop 1 Length", "end None None"]);
}

#[test]
fn probabilities_go_along_even_while_they_wait() {
    let logprobs = Json::parse("[{\"token\":\"b\"}]");
    let event = Event::Text { choice: 0, text: "b".to_owned(), logprobs: logprobs.clone() };
    let steps = steps([call(0, "a", "f"), event, text("c"), stop(Stop::End)]);
    let texts: Vec<_> = steps
        .iter()
        .filter_map(|it| {
            if let Step::Delta { delta: Delta::Text { text, logprobs }, .. } = it {
                Some((text, logprobs))
            } else {
                None
            }
        })
        .collect();
    assert_eq!(texts, [(&"b".to_owned(), &logprobs), (&"c".to_owned(), &None)]);
}

#[test]
fn what_is_held_has_a_bound() {
    let mut sequencer = Sequencer { most: 10_000, ..Sequencer::new("req_1") };
    let mut out = Vec::new();
    // What was told and closed is held no longer.
    for _ in 0..1_000 {
        sequencer.push(text(&"x".repeat(1_000)), &mut out);
        sequencer.push(BLOCK_END, &mut out);
    }
    assert!(!out.iter().any(|it| matches!(it, Step::Failed(_))));
    let mut bounded = |events: &mut dyn Iterator<Item = Event>| {
        let mut sequencer = Sequencer { most: 10_000, ..Sequencer::new("req_1") };
        out.clear();
        events.take(1_000).for_each(|it| sequencer.push(it, &mut out));
        matches!(out.last(), Some(Step::Failed(_)))
    };
    assert!(bounded(&mut std::iter::repeat_with(|| text(&"x".repeat(1_000)))));
    assert!(bounded(&mut (0..).map(|slot| call(slot, "a", "f"))));
    assert!(bounded(&mut (0..).map(|choice| Event::Stop { choice, stop: Stop::End })));
    let mut parts = [call(0, "a", "f")].into_iter().chain((0..).map(|_| state("s", true)));
    assert!(bounded(&mut parts));
}
