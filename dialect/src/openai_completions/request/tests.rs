use super::*;

fn of(fields: &str) -> Result<(Request, String), Refused> {
    let mut notes = Notes::default();
    let body = format!(r#"{{"model":"m",{fields}}}"#);
    read(body.as_bytes(), &mut notes).map(|request| (request, notes.to_string()))
}

#[test]
fn a_prompt_is_one_turn_of_the_user() {
    for prompt in [r#""Once""#, r#"["Once"]"#] {
        let fields = format!(
            r#""prompt":{prompt},"max_tokens":9,"temperature":0,"stop":"x","n":2,"stream":true,
            "stream_options":{{"include_usage":true}},"user":"u","echo":false,"suffix":"","best_of":1,"logprobs":null"#
        );
        let (request, notes) = of(&fields).unwrap();
        let turn = Turn { role: Role::User, name: None, parts: vec![Part::text("Once")] };
        assert_eq!(request.turns, [turn]);
        assert_eq!((request.model.as_str(), request.max_output), ("m", Some(9)));
        assert_eq!((request.sampling.temperature, request.answers), (Some(0.0), Some(2)));
        assert!(request.stream && request.stream_usage);
        assert_eq!(notes, "prompt;changed");
    }
    assert_eq!(of(r#""prompt":"a","x":1"#).unwrap().1, "prompt;changed, x;dropped");
}

#[test]
fn what_only_models_of_old_could_do_is_refused() {
    for (fields, field) in [
        (r#""prompt":["a","b"]"#, "prompt"),
        (r#""prompt":[1,2]"#, "prompt"),
        (r#""prompt":[[1],[2]]"#, "prompt"),
        (r#""prompt":[]"#, "prompt"),
        (r#""prompt":"""#, "prompt"),
        (r#""x":1"#, "prompt"),
        (r#""prompt":"a","echo":true"#, "echo"),
        (r#""prompt":"a","suffix":"b""#, "suffix"),
        (r#""prompt":"a","best_of":3"#, "best_of"),
        (r#""prompt":"a","logprobs":0"#, "logprobs"),
        (r#""prompt":"a","max_tokens":"x""#, "max_tokens"),
    ] {
        assert_eq!(of(fields).unwrap_err().field, field, "{fields}");
    }
    assert!(read(b"[]", &mut Notes::default()).is_err());
    assert!(read(b"\xff", &mut Notes::default()).is_err());
}
