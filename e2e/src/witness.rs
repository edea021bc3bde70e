//! The demo provider seen from a test: what it served, and how it is told to misbehave.

use crate::{
    demo::ledger::Entry,
    patience::{self, until},
};
use anyhow::{Result, ensure};
use reqwest::Client;
use serde_json::{Value, json};

/// A demo provider that is running.
#[derive(Debug, Clone)]
pub struct Witness {
    url: String,
    http: Client,
}

impl Witness {
    /// The demo provider at this URL.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn new(url: &str) -> Result<Self> {
        let http = Client::builder().no_proxy().timeout(patience::LONG).build()?;
        Ok(Self { url: url.to_owned(), http })
    }

    /// Where it listens, without a path.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where an account points: the URL with the version prefix.
    pub fn base_url(&self) -> String {
        format!("{}/v1", self.url)
    }

    /// Every request it served, the oldest first.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn ledger(&self) -> Result<Vec<Entry>> {
        self.read_ledger("").await
    }

    /// As [`Self::ledger`], with headers and bodies as they were received.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn ledger_with_bodies(&self) -> Result<Vec<Entry>> {
        self.read_ledger("?bodies=1").await
    }

    async fn read_ledger(&self, query: &str) -> Result<Vec<Entry>> {
        let response = self.http.get(format!("{}/ledger{query}", self.url)).send().await?;
        let text = response.error_for_status()?.text().await?;
        text.lines().map(|it| Ok(serde_json::from_str(it)?)).collect()
    }

    /// The entry of the request that it was sent with this id, once it is there.
    ///
    /// # Errors
    /// When it does not come.
    pub async fn entry(&self, request_id: &str) -> Result<Entry> {
        let look = async || {
            let entries = self.ledger_with_bodies().await.ok()?;
            entries.into_iter().rev().find(|it| it.request_id == request_id)
        };
        until(&format!("{request_id} is in the upstream's ledger"), look).await
    }

    /// Forgets what it served.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn forget(&self) -> Result<()> {
        self.http.delete(format!("{}/ledger", self.url)).send().await?.error_for_status()?;
        Ok(())
    }

    /// Makes it misbehave to requests that match, as often as `times` says.
    ///
    /// # Errors
    /// When it does not answer, or does not know the behaviour.
    pub async fn behave(&self, matching: Value, behave: &str, times: Option<u64>) -> Result<()> {
        let rule = json!({"match": matching, "behave": behave, "times": times});
        let response =
            self.http.post(format!("{}/behave", self.url)).body(rule.to_string()).send().await?;
        ensure!(response.status() == 204, "no such behaviour: {}", response.text().await?);
        Ok(())
    }

    /// Makes it behave again.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn behave_well(&self) -> Result<()> {
        self.http.delete(format!("{}/behave", self.url)).send().await?.error_for_status()?;
        Ok(())
    }
}
