//! Limits: their rows, written and read, and lists of them.

use super::{
    Listing, Page, Store, StoreError, Stored, read as reading,
    row::{column, parsed, signed, unsigned},
    tx::{Params, execute},
};
use deadpool_postgres::Transaction;
use domain::{
    catalog::{
        Action, Calendar, CalendarPeriod, Limit, Measure, Mode, Period, Rule, Subject, Weights,
    },
    id::{AccountId, KeyId, LimitId, TeamId},
};
use std::{num::NonZeroU64, str::FromStr};
use tokio_postgres::Row;
use uuid::Uuid;

pub(super) const PUT: &str = "-- put_limit
    INSERT INTO limit_rule (id, generation, subject, key_id, team_id, account_id, provider,
        alias, model, rule, amount, measure, input_percent, cached_input_percent,
        cache_write_percent, output_percent, period, time_zone, reset_minute, mode, action,
        warn_percent, switch_percent, queue_ms, revision)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
        $19, $20, $21, $22, $23, $24, $25)
    ON CONFLICT (id) DO UPDATE SET generation = excluded.generation,
        subject = excluded.subject, key_id = excluded.key_id, team_id = excluded.team_id,
        account_id = excluded.account_id, provider = excluded.provider,
        alias = excluded.alias, model = excluded.model, rule = excluded.rule,
        amount = excluded.amount, measure = excluded.measure,
        input_percent = excluded.input_percent,
        cached_input_percent = excluded.cached_input_percent,
        cache_write_percent = excluded.cache_write_percent,
        output_percent = excluded.output_percent, period = excluded.period,
        time_zone = excluded.time_zone, reset_minute = excluded.reset_minute,
        mode = excluded.mode, action = excluded.action,
        warn_percent = excluded.warn_percent, switch_percent = excluded.switch_percent,
        queue_ms = excluded.queue_ms, revision = excluded.revision";

/// A subject as a row has it: its kind, and the columns that the kind sets.
#[derive(Default)]
struct SubjectColumns<'a> {
    kind: &'static str,
    key: Option<Uuid>,
    team: Option<Uuid>,
    account: Option<Uuid>,
    provider: Option<&'a str>,
    alias: Option<&'a str>,
    model: Option<&'a str>,
}

impl<'a> SubjectColumns<'a> {
    fn of(subject: &'a Subject) -> Self {
        let kind = |kind| Self { kind, ..Self::default() };
        match subject {
            Subject::Everything => kind("everything"),
            Subject::Key(id) => Self { key: Some(id.uuid()), ..kind("key") },
            Subject::Team(id) => Self { team: Some(id.uuid()), ..kind("team") },
            Subject::Alias(alias) => Self { alias: Some(alias), ..kind("alias") },
            Subject::KeyAlias(key, alias) => {
                Self { key: Some(key.uuid()), alias: Some(alias), ..kind("key_alias") }
            }
            Subject::Provider(name) => Self { provider: Some(name.as_str()), ..kind("provider") },
            Subject::Account(id) => Self { account: Some(id.uuid()), ..kind("account") },
            Subject::AccountModel(account, model) => Self {
                account: Some(account.uuid()),
                model: Some(model.as_str()),
                ..kind("account_model")
            },
        }
    }
}

/// What is allowed as a row has it.
#[derive(Default)]
struct RuleColumns<'a> {
    kind: &'static str,
    measure: Option<&'static str>,
    weights: Option<Weights>,
    period: Option<&'static str>,
    calendar: Option<&'a Calendar>,
}

impl<'a> RuleColumns<'a> {
    fn of(rule: &'a Rule) -> Self {
        let measured = |kind| Self {
            kind,
            measure: rule.measure().map(measure_text),
            weights: match rule.measure() {
                Some(Measure::Tokens(weights)) => Some(weights),
                Some(Measure::Requests | Measure::Cost) | None => None,
            },
            ..Self::default()
        };
        match rule {
            Rule::Bucket { period, .. } => {
                Self { period: Some(period_text(*period)), ..measured("bucket") }
            }
            Rule::WindowStrict { period, .. } => {
                Self { period: Some(period_text(*period)), ..measured("window_strict") }
            }
            Rule::Calendar { period, calendar, .. } => Self {
                period: Some(calendar_period_text(*period)),
                calendar: Some(calendar),
                ..measured("calendar")
            },
            Rule::Grant { .. } => measured("grant"),
            Rule::TokensPerRequest { .. } => measured("tokens_per_request"),
            Rule::InFlight { .. } => measured("in_flight"),
        }
    }
}

const fn measure_text(measure: Measure) -> &'static str {
    match measure {
        Measure::Requests => "requests",
        Measure::Tokens(_) => "tokens",
        Measure::Cost => "cost",
    }
}

const fn period_text(period: Period) -> &'static str {
    match period {
        Period::Minute => "minute",
        Period::Hour => "hour",
        Period::Day => "day",
    }
}

const fn calendar_period_text(period: CalendarPeriod) -> &'static str {
    match period {
        CalendarPeriod::Minute => "minute",
        CalendarPeriod::Hour => "hour",
        CalendarPeriod::Day => "day",
        CalendarPeriod::Week => "week",
        CalendarPeriod::Month => "month",
    }
}

/// Writes a limit's row, stamped with `revision`.
pub(super) async fn write(
    tx: &Transaction<'_>,
    sql: &str,
    it: &Limit,
    revision: i64,
) -> Result<(), tokio_postgres::Error> {
    let subject = SubjectColumns::of(&it.subject);
    let rule = RuleColumns::of(&it.rule);
    let mode = match it.mode {
        Mode::Strict => "strict",
        Mode::Availability => "availability",
    };
    let action = match it.action {
        Action::Enforce => "enforce",
        Action::Shadow => "shadow",
    };
    let params: Params<'_> = &[
        &it.id.uuid(),
        &i64::from(it.generation),
        &subject.kind,
        &subject.key,
        &subject.team,
        &subject.account,
        &subject.provider,
        &subject.alias,
        &subject.model,
        &rule.kind,
        &signed(it.rule.amount().get()),
        &rule.measure,
        &rule.weights.map(|it| i32::from(it.input)),
        &rule.weights.map(|it| i32::from(it.cached_input)),
        &rule.weights.map(|it| i32::from(it.cache_write)),
        &rule.weights.map(|it| i32::from(it.output)),
        &rule.period,
        &rule.calendar.map(|it| &*it.zone),
        &rule.calendar.map(|it| i32::from(it.reset_minute)),
        &mode,
        &action,
        &it.warn_percent.map(i32::from),
        &it.switch_percent.map(i32::from),
        &i64::from(it.queue_ms),
        &revision,
    ];
    execute(tx, sql, params).await.map(drop)
}

/// The limit of a row.
pub(super) fn read(row: &Row) -> Result<Limit, StoreError> {
    let id = LimitId::from_uuid(column(row, "id")?);
    let limit = |row| {
        Ok(Limit {
            id,
            generation: unsigned(row, "generation")?,
            subject: subject(row)?,
            rule: rule(row)?.into(),
            mode: match column(row, "mode")? {
                "strict" => Mode::Strict,
                "availability" => Mode::Availability,
                other => return Err(unknown("mode", other)),
            },
            action: match column(row, "action")? {
                "enforce" => Action::Enforce,
                "shadow" => Action::Shadow,
                other => return Err(unknown("action", other)),
            },
            warn_percent: maybe_small(row, "warn_percent")?,
            switch_percent: maybe_small(row, "switch_percent")?,
            queue_ms: unsigned(row, "queue_ms")?,
        })
    };
    limit(row).map_err(|error: StoreError| StoreError::corrupt(format!("limit `{id}`: {error}")))
}

fn unknown(name: &str, text: &str) -> StoreError {
    StoreError::corrupt(format!("column {name}: `{text}`"))
}

/// A column of a small number, which may be null.
fn maybe_small<T: TryFrom<i32>>(row: &Row, name: &str) -> Result<Option<T>, StoreError> {
    let number = column::<Option<i32>>(row, name)?;
    let small = |it| T::try_from(it).map_err(|_| unknown(name, &it.to_string()));
    number.map(small).transpose()
}

fn small<T: TryFrom<i32>>(row: &Row, name: &str) -> Result<T, StoreError> {
    maybe_small(row, name)?.ok_or_else(|| unknown(name, "null"))
}

fn subject(row: &Row) -> Result<Subject, StoreError> {
    let key = || column(row, "key_id").map(KeyId::from_uuid);
    let account = || column(row, "account_id").map(AccountId::from_uuid);
    let alias = || column::<&str>(row, "alias").map(Into::into);
    Ok(match column(row, "subject")? {
        "everything" => Subject::Everything,
        "key" => Subject::Key(key()?),
        "team" => Subject::Team(TeamId::from_uuid(column(row, "team_id")?)),
        "alias" => Subject::Alias(alias()?),
        "key_alias" => Subject::KeyAlias(key()?, alias()?),
        "provider" => Subject::Provider(parsed(row, "provider")?),
        "account" => Subject::Account(account()?),
        "account_model" => Subject::AccountModel(account()?, parsed(row, "model")?),
        other => return Err(unknown("subject", other)),
    })
}

fn rule(row: &Row) -> Result<Rule, StoreError> {
    let amount = NonZeroU64::new(unsigned(row, "amount")?).ok_or_else(|| unknown("amount", "0"))?;
    Ok(match column(row, "rule")? {
        "bucket" => Rule::Bucket { measure: measure(row)?, amount, period: period(row)? },
        "window_strict" => {
            Rule::WindowStrict { measure: measure(row)?, amount, period: period(row)? }
        }
        "calendar" => Rule::Calendar {
            measure: measure(row)?,
            amount,
            period: calendar_period(row)?,
            calendar: Box::new(Calendar {
                zone: column::<&str>(row, "time_zone")?.into(),
                reset_minute: small(row, "reset_minute")?,
            }),
        },
        "grant" => Rule::Grant { measure: measure(row)?, amount },
        "tokens_per_request" => Rule::TokensPerRequest { most: amount },
        "in_flight" => Rule::InFlight { most: amount },
        other => return Err(unknown("rule", other)),
    })
}

fn measure(row: &Row) -> Result<Measure, StoreError> {
    Ok(match column(row, "measure")? {
        "requests" => Measure::Requests,
        "cost" => Measure::Cost,
        "tokens" => Measure::Tokens(Weights {
            input: small(row, "input_percent")?,
            cached_input: small(row, "cached_input_percent")?,
            cache_write: small(row, "cache_write_percent")?,
            output: small(row, "output_percent")?,
        }),
        other => return Err(unknown("measure", other)),
    })
}

fn period(row: &Row) -> Result<Period, StoreError> {
    match column(row, "period")? {
        "minute" => Ok(Period::Minute),
        "hour" => Ok(Period::Hour),
        "day" => Ok(Period::Day),
        other => Err(unknown("period", other)),
    }
}

fn calendar_period(row: &Row) -> Result<CalendarPeriod, StoreError> {
    match column(row, "period")? {
        "minute" => Ok(CalendarPeriod::Minute),
        "hour" => Ok(CalendarPeriod::Hour),
        "day" => Ok(CalendarPeriod::Day),
        "week" => Ok(CalendarPeriod::Week),
        "month" => Ok(CalendarPeriod::Month),
        other => Err(unknown("period", other)),
    }
}

impl Store {
    /// One page of limits, oldest first; with `subject`, only those of it: of a key or an
    /// account those of its aliases or models too.
    ///
    /// # Errors
    /// When the database fails, or [`StoreError::BadPage`].
    pub async fn list_limits(
        &self,
        page: &Page,
        subject: Option<&Subject>,
    ) -> Result<Listing<Limit>, StoreError> {
        let after = page.after.as_deref().map(LimitId::from_str).transpose();
        let after = after.map_err(|_| StoreError::BadPage)?.map_or(Uuid::nil(), LimitId::uuid);
        let rows = match subject {
            None => {
                let sql = "-- list_limits
                    SELECT * FROM limit_rule WHERE id > $1 ORDER BY id LIMIT $2";
                self.rows(sql, &[&after, &page.rows()]).await?
            }
            Some(Subject::Key(key)) => {
                let sql = "-- list_key_limits
                    SELECT * FROM limit_rule WHERE id > $1 AND key_id = $3 ORDER BY id LIMIT $2";
                self.rows(sql, &[&after, &page.rows(), &key.uuid()]).await?
            }
            Some(Subject::Account(account)) => {
                let sql = "-- list_account_limits
                    SELECT * FROM limit_rule WHERE id > $1 AND account_id = $3
                    ORDER BY id LIMIT $2";
                self.rows(sql, &[&after, &page.rows(), &account.uuid()]).await?
            }
            Some(other) => {
                // As the index of identities has it.
                let sql = "-- list_subject_limits
                    SELECT * FROM limit_rule WHERE id > $1 AND subject = $3
                        AND coalesce(key_id, team_id, account_id,
                            '00000000-0000-0000-0000-000000000000'::uuid) = $4
                        AND coalesce(alias, provider, model, '') = $5
                    ORDER BY id LIMIT $2";
                let it = SubjectColumns::of(other);
                let id = it.key.or(it.team).or(it.account).unwrap_or(Uuid::nil());
                let name = it.alias.or(it.provider).or(it.model).unwrap_or("");
                self.rows(sql, &[&after, &page.rows(), &it.kind, &id, &name]).await?
            }
        };
        page.listing(&rows, read, |it| it.id.to_string())
    }

    /// The limit of this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn get_limit(&self, id: LimitId) -> Result<Option<Stored<Limit>>, StoreError> {
        let sql = "-- get_limit\nSELECT * FROM limit_rule WHERE id = $1";
        let row = self.row(sql, &[&id.uuid()]).await?;
        row.map(|it| reading::stored(&it, read)).transpose()
    }

    /// The limits of these ids, in no order that matters; those that are there.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn get_limits(&self, ids: &[LimitId]) -> Result<Vec<Stored<Limit>>, StoreError> {
        let sql = "-- get_limits\nSELECT * FROM limit_rule WHERE id = ANY($1)";
        let ids: Vec<_> = ids.iter().map(|it| it.uuid()).collect();
        let rows = self.rows(sql, &[&ids]).await?;
        rows.iter().map(|it| reading::stored(it, read)).collect()
    }
}
