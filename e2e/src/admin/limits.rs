//! What an operator does with limits.

use super::Admin;
use proto::admin::v1::{
    self as v1, LimitMeasure, LimitPeriod, limit_service_client::LimitServiceClient,
    limit_subject::Subject,
};
use tonic::Status;

/// A limit of `amount` per `period`, in the usual profile, strict and enforced.
pub fn limit(
    subject: Subject,
    measure: LimitMeasure,
    amount: u64,
    period: LimitPeriod,
) -> v1::Limit {
    v1::Limit {
        subject: Some(v1::LimitSubject { subject: Some(subject) }),
        measure: measure.into(),
        amount,
        period: period.into(),
        ..v1::Limit::default()
    }
}

/// Requests per minute of a key.
pub fn rpm(key: &str, amount: u64) -> v1::Limit {
    limit(Subject::Key(key.to_owned()), LimitMeasure::Requests, amount, LimitPeriod::Minute)
}

/// Tokens per minute of a key.
pub fn tpm(key: &str, amount: u64) -> v1::Limit {
    limit(Subject::Key(key.to_owned()), LimitMeasure::Tokens, amount, LimitPeriod::Minute)
}

/// Requests per day of a key, in UTC.
pub fn rpd(key: &str, amount: u64) -> v1::Limit {
    limit(Subject::Key(key.to_owned()), LimitMeasure::Requests, amount, LimitPeriod::Day)
}

/// Requests of a key at the same time.
pub fn in_flight(key: &str, amount: u64) -> v1::Limit {
    let subject = Subject::Key(key.to_owned());
    limit(subject, LimitMeasure::InFlight, amount, LimitPeriod::Unspecified)
}

impl Admin {
    /// Sets limits; gives them as they are stored.
    ///
    /// # Errors
    /// As the control plane answers.
    pub async fn set_limits(&self, limits: Vec<v1::Limit>) -> Result<Vec<v1::Limit>, Status> {
        let request = self.with_token(v1::SetLimitsRequest { limits });
        let mut client = LimitServiceClient::new(self.channel());
        Ok(client.set_limits(request).await?.into_inner().limits)
    }

    /// Begins a limit anew; gives the revision that does.
    ///
    /// # Errors
    /// As the control plane answers.
    pub async fn reset_limit(&self, id: &str) -> Result<u64, Status> {
        let request = v1::ResetLimitsRequest { ids: vec![id.to_owned()], subject: None };
        let mut client = LimitServiceClient::new(self.channel());
        Ok(client.reset_limits(self.with_token(request)).await?.into_inner().revision)
    }

    /// How limits that are in use are doing, and who lends.
    ///
    /// # Errors
    /// As the control plane answers.
    pub async fn limit_status(&self) -> Result<v1::ListLimitStatusResponse, Status> {
        let request = v1::ListLimitStatusRequest { page_size: 1_000, ..Default::default() };
        let mut client = LimitServiceClient::new(self.channel());
        Ok(client.list_limit_status(self.with_token(request)).await?.into_inner())
    }

    /// How a request was decided.
    ///
    /// # Errors
    /// As the control plane answers.
    pub async fn explain(&self, request_id: &str) -> Result<v1::ExplainRequestResponse, Status> {
        let request = v1::ExplainRequestRequest { request_id: request_id.to_owned() };
        let mut client = LimitServiceClient::new(self.channel());
        Ok(client.explain_request(self.with_token(request)).await?.into_inner())
    }
}
