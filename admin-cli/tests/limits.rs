//! `sluice limit` and `sluice explain` against a server that answers from memory.
#![expect(clippy::unwrap_used, reason = "tests")]

use proto::admin::v1::{
    self, LimitMeasure, LimitPeriod,
    limit_service_server::{LimitService, LimitServiceServer},
    limit_subject::Subject,
};
use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Command, Output, Stdio},
    sync::{Arc, Mutex, mpsc},
};
use tonic::{
    Code, Request, Response, Status,
    transport::server::{Server, TcpIncoming},
};
use tonic_types::{ErrorDetails, StatusExt as _};

type Answer<T> = Result<Response<T>, Status>;

/// A server's memory.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<v1::Limit>>>);

impl Memory {
    fn of(&self, subject: Option<&v1::LimitSubject>) -> Vec<v1::Limit> {
        let all = self.0.lock().unwrap();
        let same = |it: &&v1::Limit| subject.is_none_or(|is| it.subject.as_ref() == Some(is));
        all.iter().filter(same).cloned().collect()
    }

    /// One item a page, so that pages have to be turned.
    fn page(&self, subject: Option<&v1::LimitSubject>, token: &str) -> (Vec<v1::Limit>, String) {
        let at = token.parse().unwrap_or(0);
        let limits = self.of(subject);
        let next = if at + 1 < limits.len() { (at + 1).to_string() } else { String::new() };
        (limits.into_iter().skip(at).take(1).collect(), next)
    }
}

#[tonic::async_trait]
impl LimitService for Memory {
    async fn set_limits(
        &self,
        request: Request<v1::SetLimitsRequest>,
    ) -> Answer<v1::SetLimitsResponse> {
        let mut all = self.0.lock().unwrap();
        let mut limits = request.into_inner().limits;
        if limits[0].amount == 13 {
            let mut details = ErrorDetails::new();
            details.add_bad_request_violation("limits[0].subject.key", "brings bad luck");
            let message = "limits[0].subject.key: brings bad luck";
            return Err(Status::with_error_details(Code::InvalidArgument, message, details));
        }
        for it in &mut limits {
            it.id = format!("lim_{:032x}", all.len() + 1);
            it.worst_case = format!("at most {}, in words", it.amount);
            all.push(it.clone());
        }
        Ok(Response::new(v1::SetLimitsResponse { limits, revision: 7 }))
    }

    async fn get_limit(
        &self,
        request: Request<v1::GetLimitRequest>,
    ) -> Answer<v1::GetLimitResponse> {
        let id = request.into_inner().id;
        let found = self.of(None).into_iter().find(|it| it.id == id);
        let limit = found.ok_or_else(|| Status::not_found(format!("there is no limit {id}")))?;
        Ok(Response::new(v1::GetLimitResponse { limit: Some(limit) }))
    }

    async fn list_limits(
        &self,
        request: Request<v1::ListLimitsRequest>,
    ) -> Answer<v1::ListLimitsResponse> {
        let asked = request.into_inner();
        let (limits, next_page_token) = self.page(asked.subject.as_ref(), &asked.page_token);
        Ok(Response::new(v1::ListLimitsResponse { limits, next_page_token }))
    }

    async fn delete_limit(
        &self,
        _: Request<v1::DeleteLimitRequest>,
    ) -> Answer<v1::DeleteLimitResponse> {
        Err(Status::unimplemented("limits are removed by a change of the catalog"))
    }

    async fn reset_limits(
        &self,
        request: Request<v1::ResetLimitsRequest>,
    ) -> Answer<v1::ResetLimitsResponse> {
        let asked = request.into_inner();
        let mut limits = self.of(asked.subject.as_ref());
        limits.retain(|it| asked.ids.is_empty() || asked.ids.contains(&it.id));
        Ok(Response::new(v1::ResetLimitsResponse { limits, revision: 8 }))
    }

    async fn simulate_limit(
        &self,
        request: Request<v1::SimulateLimitRequest>,
    ) -> Answer<v1::SimulateLimitResponse> {
        let limit = request.into_inner().limit.unwrap_or_default();
        if limit.amount == 13 {
            let mut details = ErrorDetails::new();
            details.add_bad_request_violation("limit.subject.key", "brings bad luck");
            let message = "limit.subject.key: brings bad luck";
            return Err(Status::with_error_details(Code::InvalidArgument, message, details));
        }
        let refused = 1_000 - limit.amount;
        Ok(Response::new(v1::SimulateLimitResponse {
            requests: 1_000,
            refused,
            ..Default::default()
        }))
    }

    async fn list_limit_status(
        &self,
        request: Request<v1::ListLimitStatusRequest>,
    ) -> Answer<v1::ListLimitStatusResponse> {
        let asked = request.into_inner();
        let (limits, next_page_token) = self.page(asked.subject.as_ref(), &asked.page_token);
        let status = |it| v1::LimitStatus { limit: Some(it), ..Default::default() };
        let statuses = limits.into_iter().map(status).collect();
        let address = "127.0.0.1:7070".to_owned();
        let leader = v1::LimitLeader { address, epoch: 3, database_ok: true, ..Default::default() };
        let leader = Some(leader);
        Ok(Response::new(v1::ListLimitStatusResponse { statuses, next_page_token, leader }))
    }

    async fn explain_request(
        &self,
        request: Request<v1::ExplainRequestRequest>,
    ) -> Answer<v1::ExplainRequestResponse> {
        let limit = |id: String| v1::ExplainedLimit {
            id,
            asked_milli: 2_500_000,
            title: "a limit".into(),
            verdict: "taken".into(),
            ..Default::default()
        };
        let known = self.of(None).into_iter().map(|it| it.id);
        let gone = format!("lim_{:032x}", 99);
        Ok(Response::new(v1::ExplainRequestResponse {
            request_id: request.into_inner().request_id,
            limits: known.chain([gone]).map(limit).collect(),
            ..Default::default()
        }))
    }
}

/// A server, and the program that speaks to it.
struct Stage {
    address: SocketAddr,
    memory: Memory,
}

impl Stage {
    fn new() -> Self {
        let memory = Memory::default();
        let served = memory.clone();
        let (tell, told) = mpsc::channel();
        // It ends with the tests.
        std::thread::spawn(move || {
            let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build();
            tokio.unwrap().block_on(async move {
                let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
                tell.send(incoming.local_addr().unwrap()).unwrap();
                let service = LimitServiceServer::new(served);
                Server::builder().add_service(service).serve_with_incoming(incoming).await
            })
        });
        Self { address: told.recv().unwrap(), memory }
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
        command
            .args(line.split_whitespace())
            .env_clear()
            .env("SLUICE_CONTROL_URL", format!("http://{}", self.address))
            .env("SLUICE_OPERATOR_TOKEN", "token")
            .stdin(Stdio::null());
        command
    }

    /// Runs a line, checks its exit code, and gives what it printed.
    fn run(&self, line: &str, code: i32) -> String {
        let Output { status, stdout, stderr } = self.command(line).output().unwrap();
        let (out, err) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
        assert_eq!(status.code(), Some(code), "{line}: {out}{err}");
        if code == 0 { out } else { err }
    }
}

#[test]
fn what_is_set_is_sent_in_one_call_and_said_back_with_its_worst_case() {
    let it = Stage::new();
    let said = it.run("limit set --key team-a --rpm 60 --budget $5 --timezone Asia/Shanghai", 0);
    assert_eq!(
        said,
        "key team-a: 60 requests/minute (bucket)\n  at most 60, in words\n\
         key team-a: $5.00/month (calendar)\n  at most 5000000, in words\n\
         set as revision 7\n"
    );
    let sent = it.memory.of(None);
    let subject = sent[0].subject.clone().unwrap().subject;
    assert_eq!(subject, Some(Subject::Key("team-a".into())));
    assert_eq!(sent[0].measure(), LimitMeasure::Requests);
    assert_eq!((sent[1].amount, sent[1].period()), (5_000_000, LimitPeriod::Month));
    assert_eq!(sent[1].time_zone, "Asia/Shanghai");
    let json = it.run("limit set --account a --rpd 5 -o json", 0);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["revision"], 7);
    assert_eq!(json["limits"][0]["switch_percent"], 99);
    assert_eq!(it.run("limit set --key a --rpm 13", 4), "error: --key: brings bad luck\n");
}

#[test]
fn what_no_limit_can_be_is_told_with_what_to_write() {
    let it = Stage::new();
    for (flags, why) in [
        ("--rpm 0", "'--rpm <AMOUNT>': `0` allows nothing: write a number above 0"),
        ("--rpm -1", "'--rpm <AMOUNT>': `-1` is not a number: write for example 60"),
        ("--tpm 18446744073709551615", "is too large: write at most 1000000G"),
        ("--budget 18446744073709usd", "is too large: write at most 1000000000usd"),
        ("--rpm 5 --queue 10h", "`10h` is not within 1ms and 60s"),
        ("--requests 5 --per month --profile bucket", "nothing that is said here can have it"),
        ("--rpm 5 --threshold 90%", "a caller cannot be switched to another"),
        ("--rpm 5 --timezone UTC", "nothing here follows one"),
        ("--rpm 5 --weights cached=10", "no tokens are counted here"),
        ("--tpm 5 --weights seen=10", "is not written KIND=PERCENT"),
    ] {
        for command in ["set", "simulate"] {
            let said = it.run(&format!("limit {command} --key a {flags}"), 2);
            assert!(said.contains(why), "{command} {flags}: {said}");
        }
    }
    assert!(it.memory.of(None).is_empty());
}

#[test]
fn limits_are_listed_over_all_pages_and_shown_by_id_or_by_subject() {
    let it = Stage::new();
    assert_eq!(it.run("limit list", 0), "");
    it.run("limit set --key a --rpm 60 --tpm 100k", 0);
    it.run("limit set --team t --rpm 5", 0);
    let list = it.run("limit list", 0);
    let firsts: Vec<_> = list.lines().map(|it| &it[..8]).collect();
    assert_eq!(firsts, ["SUBJECT ", "key a   ", "key a   ", "team t  "]);
    assert_eq!(it.run("limit list --team t", 0).lines().count(), 2);
    let one = it.run("limit show lim_00000000000000000000000000000003", 0);
    assert!(one.starts_with("subject     team t\nlimit       5 requests/minute\n"), "{one}");
    let both = it.run("limit show --key a", 0);
    assert_eq!(both.matches("worst case  at most").count(), 2, "{both}");
    let json = |line: &str| serde_json::from_str::<serde_json::Value>(&it.run(line, 0)).unwrap();
    assert!(json("limit show lim_00000000000000000000000000000003 -o json").is_object());
    assert_eq!(json("limit show --key a -o json").as_array().unwrap().len(), 2);
    assert!(it.run("limit show lim_0", 3).contains("there is no limit lim_0"));
    assert!(it.run("limit show --key b", 3).contains("there is no limit of key b"));
    assert!(it.run("limit remove --key b", 3).contains("there is no limit of key b"));
}

#[test]
fn a_reset_names_what_is_new_again() {
    let it = Stage::new();
    it.run("limit set --key a --rpm 60 --tpm 100k", 0);
    assert_eq!(
        it.run("limit reset --key a", 0),
        "reset key a: 60 requests/minute\nreset key a: 100k tokens/minute\n\
         as revision 8: unused from there on\n"
    );
    let one = it.run("limit reset lim_00000000000000000000000000000002", 0);
    assert_eq!(one.lines().next(), Some("reset key a: 100k tokens/minute"));
    assert!(it.run("limit reset --key b", 3).contains("there is no limit of key b"));
}

#[test]
fn every_limit_is_tried_and_one_that_there_is_can_be_changed() {
    let it = Stage::new();
    let both = it.run("limit simulate --key a --rpm 60 --rpd 1000", 0);
    assert_eq!(
        both,
        "key a: 60 requests/minute\n  would have refused 940 of 1,000 requests (94%)\n\n\
         key a: 1000 requests/day\n  would have refused none of 1,000 requests\n"
    );
    assert_eq!(it.run("limit simulate --key a --rpm 13", 4), "error: --key: brings bad luck\n");
    it.run("limit set --key a --requests 60 --per hour", 0);
    let id = "lim_00000000000000000000000000000001";
    let more = it.run(&format!("limit simulate --id {id} --requests 900"), 0);
    assert!(more.starts_with("key a: 900 requests/hour\n"), "{more}");
    let json = it.run(&format!("limit simulate --id {id} --requests 900 -o json"), 0);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json[0]["refused"], &json[0]["limit"]["amount"]), (&100.into(), &900.into()));
}

#[test]
fn what_is_watched_is_appended_until_nobody_reads_it() {
    let it = Stage::new();
    it.run("limit set --key a --rpm 60 --tpm 100k", 0);
    let table = it.run("limit status", 0);
    assert!(table.starts_with("leader  127.0.0.1:7070, epoch 3\n\nSUBJECT"), "{table}");
    assert_eq!(table.lines().count(), 5);
    for (format, parts) in [
        ("table", ["key a: 60 requests/minute  used 0 (0%)", "key a: 100k tokens/minute"]),
        ("json", ["\"epoch\":3", "\"epoch\":3"]),
    ] {
        let line = format!("limit status --watch --interval 10ms -o {format}");
        let mut child = it.command(&line).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        for _ in 0..3 {
            for part in parts {
                let line = lines.next().unwrap().unwrap();
                assert!(line.contains(part), "{part}: {line}");
                assert!(!line.contains('\x1b'), "{line}");
            }
        }
        drop(lines);
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn a_requests_story_shows_money_as_money() {
    let it = Stage::new();
    it.run("limit set --key a --budget $5 --tpm 100k", 0);
    let id = format!("req_{:032x}", 5);
    let story = it.run(&format!("explain {id}"), 0);
    assert!(story.starts_with(&format!("{id} is not over yet\n")), "{story}");
    let asked: Vec<_> = story.lines().filter(|it| it.contains("asked ")).collect();
    assert_eq!(asked.len(), 3, "{story}");
    // In the order of the flags' table: tokens first, then money, then one that is gone.
    for (line, amount) in asked.iter().zip(["asked 2,500;", "asked $0.0025;", "asked 2,500;"]) {
        assert!(line.contains(amount), "{amount}: {line}");
    }
    let json = it.run(&format!("explain {id} -o json"), 0);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["limits"][0]["asked_milli"], 2_500_000);
}
