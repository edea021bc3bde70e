use super::*;
use crate::{
    chat::{Event, Opaque},
    json::Json,
    translate::sequence::Sequencer,
};
use domain::catalog::Dialect;
use proptest::prelude::*;

fn thread() -> Thread {
    let mut thread = Thread { request: "req_1".to_owned(), ..Thread::default() };
    let original = |name: &str, namespace: Option<&str>, wrapped| Original {
        name: name.to_owned(),
        namespace: namespace.map(str::to_owned),
        wrapped,
    };
    thread.names.add("long_1234".to_owned(), original("long.name", None, false));
    thread.names.add("ns__patch".to_owned(), original("patch", Some("ns"), true));
    thread.emulated_format = Some("respond".to_owned());
    thread
}

fn call(name: &str, input: &str) -> Part {
    Part::new(Content::Call(Call {
        id: "c".to_owned(),
        name: name.to_owned(),
        namespace: None,
        input: Json::parse(input)
            .map_or_else(|| CallInput::Text(input.to_owned()), CallInput::Json),
        opaque: Some(Opaque { origin: Dialect::Gemini, data: "s".to_owned() }),
    }))
}

fn whole(parts: Vec<Part>, stop: Stop) -> Choice {
    let choice = Choice { parts, stop, logprobs: None };
    let mut whole = Answer { choices: vec![choice], ..Answer::default() };
    answer(&mut whole, &thread());
    whole.choices.remove(0)
}

/// The steps of calls, each told in these pieces.
fn streamed(calls: &[(&str, &[&str])], stop: Stop) -> Vec<Step> {
    let mut events = Vec::new();
    for (slot, (name, pieces)) in (0..).zip(calls) {
        events.push(Event::CallStart {
            choice: 0,
            slot,
            id: "c".to_owned(),
            name: (*name).to_owned(),
            namespace: None,
            custom: false,
            opaque: None,
        });
        events.extend(pieces.iter().map(|it| Event::CallInput {
            choice: 0,
            slot,
            text: (*it).to_owned(),
        }));
    }
    events.push(Event::Stop { choice: 0, stop });
    let (mut sequencer, mut restorer) = (Sequencer::new("req_1"), Restorer::default());
    let (mut steps, mut out) = (Vec::new(), Vec::new());
    events.into_iter().for_each(|it| sequencer.push(it, &mut steps));
    sequencer.finish(&mut steps);
    steps.into_iter().for_each(|it| restorer.push(it, &thread(), &mut out));
    out
}

/// All pieces of the blocks, and the blocks as they were closed.
fn told(steps: &[Step]) -> (String, Vec<Part>) {
    let (mut pieces, mut wholes) = (String::new(), Vec::new());
    for step in steps {
        match step {
            Step::Delta { delta: Delta::Input(text) | Delta::Text { text, .. }, .. } => {
                pieces.push_str(text);
            }
            Step::Close { whole, .. } => wholes.push(whole.clone()),
            Step::Start(_)
            | Step::Open { .. }
            | Step::Delta { .. }
            | Step::Stop { .. }
            | Step::Ping
            | Step::End { .. }
            | Step::Failed(_) => {}
        }
    }
    (pieces, wholes)
}

fn as_call(part: &Part) -> &Call {
    if let Content::Call(call) = &part.content { call } else { panic!("{part:?}") }
}

/// Bug 21 of the list: a shortened name that is not restored, in an answer that comes whole.
#[test]
fn a_whole_answers_tools_are_those_of_the_caller() {
    let parts = vec![
        call("long_1234", r#"{"a":1}"#),
        call("ns__patch", r#"{"input":"*** Begin\n"}"#),
        call("plain", "{}"),
    ];
    let choice = whole(parts, Stop::End);
    let calls: Vec<_> = choice.parts.iter().map(as_call).collect();
    assert_eq!((calls[0].name.as_str(), &calls[0].namespace), ("long.name", &None));
    assert_eq!(calls[0].input, CallInput::Json(Json::parse(r#"{"a":1}"#).unwrap()));
    assert_eq!((calls[1].name.as_str(), calls[1].namespace.as_deref()), ("patch", Some("ns")));
    assert_eq!(calls[1].input, CallInput::Text("*** Begin\n".to_owned()));
    assert_eq!(calls[2].name, "plain");
    assert_eq!(choice.stop, Stop::Calls);
}

/// Bug 21 of the list (litellm#17904, cline#11885): a shortened name that is not restored.
#[test]
fn a_streams_tools_are_those_of_the_caller() {
    let steps = streamed(
        &[
            ("long_1234", &[r#"{"a""#, ":1}"]),
            ("ns__patch", &["{\"inp", "ut\":\"x\\", "n\\ud83d", "\\ude00y", "\"}"]),
        ],
        Stop::Calls,
    );
    let opened: Vec<_> = steps
        .iter()
        .filter_map(|it| {
            if let Step::Open {
                block: Block::Call { number, name, namespace, custom, .. }, ..
            } = it
            {
                Some((*number, name.as_str(), namespace.as_deref(), *custom))
            } else {
                None
            }
        })
        .collect();
    assert_eq!(opened, [(0, "long.name", None, false), (1, "patch", Some("ns"), true)]);
    let (pieces, wholes) = told(&steps);
    assert_eq!(pieces, "{\"a\":1}x\n\u{1f600}y");
    assert_eq!(as_call(&wholes[1]).input, CallInput::Text("x\n\u{1f600}y".to_owned()));
    assert_eq!(as_call(&wholes[1]).name, "patch");
    // The text comes piece by piece, not all at the end.
    let deltas = steps.iter().filter(|it| matches!(it, Step::Delta { index: 1, .. }));
    assert!(deltas.count() >= 3);
}

#[test]
fn an_input_that_is_wrapped_otherwise_comes_at_the_end() {
    for (input, expected) in [
        (r#"{"patch":"x"}"#, "x"),
        (r#"{"input":{"a":1}}"#, r#"{"input":{"a":1}}"#),
        ("{}", ""),
        ("plain", "plain"),
    ] {
        let (pieces, wholes) = told(&streamed(&[("ns__patch", &[input])], Stop::End));
        assert_eq!(pieces, expected, "{input}");
        assert_eq!(as_call(&wholes[0]).input, CallInput::Text(expected.to_owned()));
        let choice = whole(vec![call("ns__patch", input)], Stop::End);
        assert_eq!(as_call(&choice.parts[0]).input, CallInput::Text(expected.to_owned()));
    }
}

/// Bug 42 of the list (litellm#9504, #7374): the tool that stands for the format is shown to the
/// caller.
#[test]
fn a_tool_that_stands_for_the_format_is_a_text() {
    let steps = streamed(&[("respond", &[r#"{"a""#, ":1}"])], Stop::Calls);
    let (pieces, wholes) = told(&steps);
    assert_eq!((pieces.as_str(), wholes), (r#"{"a":1}"#, vec![Part::text(r#"{"a":1}"#)]));
    assert!(matches!(steps[1], Step::Open { block: Block::Text, .. }), "{:?}", steps[1]);
    let stop = |steps: &[Step]| {
        let is_stop = |it: &&Step| matches!(it, Step::Stop { .. });
        steps.iter().find(is_stop).cloned()
    };
    assert_eq!(stop(&steps), Some(Step::Stop { choice: 0, stop: Stop::End }));
    let steps = streamed(&[("respond", &["{\"a"])], Stop::Length);
    assert_eq!(stop(&steps), Some(Step::Stop { choice: 0, stop: Stop::Length }));
    assert_eq!(told(&steps).1, [Part::text("{\"a")]);

    let choice = whole(vec![call("respond", r#"{"a":1}"#)], Stop::Calls);
    assert_eq!((choice.parts, choice.stop), (vec![Part::text(r#"{"a":1}"#)], Stop::End));
}

/// Bug 3 of the list: the first call had not the number 0.
#[test]
fn calls_beside_it_are_counted_without_it() {
    let steps = streamed(&[("respond", &["{\"a\":1}"]), ("plain", &["{}"])], Stop::End);
    let number = steps.iter().find_map(|it| {
        if let Step::Open { block: Block::Call { number, .. }, .. } = it {
            Some(*number)
        } else {
            None
        }
    });
    assert_eq!(number, Some(0));
    assert!(steps.contains(&Step::Stop { choice: 0, stop: Stop::Calls }));
}

proptest! {
    #[test]
    fn a_wrapped_text_comes_out_whole_however_it_is_cut(
        text in any::<String>(),
        size in 1..9usize,
    ) {
        let json = serde_json::json!({ "input": text }).to_string();
        let letters: Vec<_> = json.chars().collect();
        let pieces: Vec<String> = letters.chunks(size).map(|it| it.iter().collect()).collect();
        let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
        let (told, wholes) = told(&streamed(&[("ns__patch", &pieces)], Stop::End));
        prop_assert_eq!(&told, &text);
        prop_assert_eq!(&as_call(&wholes[0]).input, &CallInput::Text(text));
    }
}
