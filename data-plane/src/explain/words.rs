//! A record in the words of the contract, for the operator who asks for it. Unlike callers,
//! operators may see whose limits and accounts these are.

use super::{Explainer, Look, LookVerdict, Reason, Record, Reluctance, Said, Verdict};
use domain::{
    id::{AccountId, KeyId, RequestId, TeamId},
    limit::words::{Names, title},
    routing::Failure,
    snapshot::Snapshot,
};
use proto::{
    admin::v1::{ExplainRequestResponse, ExplainedAttempt, ExplainedLimit},
    convert::key::timestamp_to,
};

impl Explainer {
    /// How a recent request was decided. `proxy` and `address` are for whoever sends it to
    /// fill in, and `key` is the key's id.
    pub fn find(&self, request: RequestId) -> Option<ExplainRequestResponse> {
        let snapshot = self.snapshot.load_full();
        self.record(request).map(|it| it.in_words(snapshot.as_deref()))
    }
}

impl Record {
    fn in_words(&self, snapshot: Option<&Snapshot>) -> ExplainRequestResponse {
        let (asked, story) = (&self.asked, self.story());
        ExplainRequestResponse {
            request_id: asked.request.to_string(),
            proxy: String::new(),
            address: String::new(),
            received_at: Some(timestamp_to(asked.received_at)),
            key: asked.key.to_string(),
            alias: asked.alias.to_string(),
            revision: asked.revision,
            status: story.status.into(),
            estimated_input_tokens: story.input_tokens,
            reserved_output_tokens: story.output_tokens,
            limits: story.limits.iter().map(|it| limit(it, snapshot)).collect(),
            attempts: story.looks.iter().map(|it| look(it, snapshot)).collect(),
        }
    }
}

fn look(look: &Look, snapshot: Option<&Snapshot>) -> ExplainedAttempt {
    let (verdict, detail) = match look.verdict {
        LookVerdict::Asked => ("", "no answer yet".to_owned()),
        LookVerdict::Answered(status) => ("answered", format!("status {status}")),
        LookVerdict::Failed(failure) => ("failed", failed(failure)),
        LookVerdict::NoHeadroom => ("no_headroom", String::new()),
        LookVerdict::Unsayable => {
            ("unsayable", "this request cannot be said in its dialect".to_owned())
        }
        LookVerdict::KeptForLast(why) => ("kept_for_last", reluctant(why).to_owned()),
    };
    ExplainedAttempt {
        account: look.target.seat.account.name.to_string(),
        model: look.target.model.to_string(),
        verdict: verdict.to_owned(),
        detail,
        limits: look.limits.iter().map(|it| limit(it, snapshot)).collect(),
    }
}

fn failed(failure: Failure) -> String {
    match failure {
        Failure::Connect => "no connection".to_owned(),
        Failure::FirstByteTimeout => "no answer in time".to_owned(),
        Failure::Broken => "the connection broke, or the answer was no proper one".to_owned(),
        Failure::Status(status) => format!("status {status}"),
    }
}

const fn reluctant(why: Reluctance) -> &'static str {
    match why {
        Reluctance::Threshold => "a limit is used up to its threshold",
        Reluctance::Upstream => "the provider says that it has nothing left",
    }
}

fn limit(said: &Said, snapshot: Option<&Snapshot>) -> ExplainedLimit {
    let (verdict, reason) = match said.verdict {
        Verdict::Taken => ("taken", ""),
        Verdict::Waited => ("waited", ""),
        Verdict::Refused(reason) => ("refused", reason.words()),
        Verdict::WouldRefuse => ("would_refuse", ""),
        Verdict::Skipped => ("skipped", ""),
    };
    ExplainedLimit {
        id: said.limit.id.to_string(),
        title: title(&said.limit, &Named(snapshot)),
        asked_milli: said.asked_milli,
        before_milli: said.before_milli,
        after_milli: said.after_milli,
        settled_milli: said.settled_milli,
        verdict: verdict.to_owned(),
        reason: reason.to_owned(),
        epoch: said.epoch,
        incarnation: said.incarnation,
        seq: said.seq,
        waited_ms: said.waited_ms,
    }
}

impl Reason {
    const fn words(self) -> &'static str {
        match self {
            Self::Exhausted => "used up",
            Self::Moving => {
                "what is left was held by other proxies or reserved by running requests"
            }
            Self::Disconnected => "the control plane could not be reached",
            Self::Unanswered => "the control plane did not answer in time",
            Self::Crowded => "too many requests waited for it on this proxy",
            Self::Learning => "a new leader learned what was lent",
            Self::Unavailable => "what counts it could not be reached",
            Self::TooLarge => "the request is larger than it ever lets through",
            Self::Unpriced => "what the request costs is not known",
        }
    }
}

/// Things by their names as they are now.
struct Named<'a>(Option<&'a Snapshot>);

impl Names for Named<'_> {
    fn key(&self, key: KeyId) -> Option<String> {
        self.0?.catalog().keys.get(key).map(|it| it.name.to_string())
    }

    fn team(&self, team: TeamId) -> Option<String> {
        self.0?.catalog().teams.get(&team).map(|it| it.name.to_string())
    }

    fn account(&self, account: AccountId) -> Option<String> {
        self.0?.catalog().accounts.get(&account).map(|it| it.name.to_string())
    }
}
