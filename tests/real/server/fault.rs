//! The ways in which a provider refuses, each in the words of its own interface.

use looper::engine::at::At;
use looper::host::clock;
use serde_json::{Value, json};

use super::request::Dialect;

/// What goes wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Too many requests, with or without a word on when to come back.
    Busy { retry_after_s: Option<u64> },
    /// What the plan allows is used up until then.
    Limit { resets_at: At },
    /// What a day allows is used up; nothing says until when.
    Day,
    /// The key is not known.
    KeyRefused,
    /// The server has a fault.
    Broken,
    /// Half an answer.
    Cut,
    /// The beginning of an answer, then nothing.
    Silence,
    /// More input than the model takes.
    TooLong,
}

type Refusal = (u16, Vec<(&'static str, String)>, Value);

impl Fault {
    /// Status, headers and body of an answer that refuses.
    pub(super) fn refusal(self, dialect: Dialect) -> Refusal {
        match dialect {
            Dialect::Responses | Dialect::Chat => self.by_openai(dialect),
            Dialect::Gemini => self.by_google(),
        }
    }

    fn by_openai(self, dialect: Dialect) -> Refusal {
        let error = |message: &str, kind: &str, code: &str| json!({"error": {"message": message, "type": kind, "param": null, "code": code}});
        let mut headers = vec![];
        let (status, body) = match self {
            Self::Busy { retry_after_s } => {
                headers.extend(retry_after_s.map(|s| ("retry-after", s.to_string())));
                let said = "Rate limit reached for requests per min: limit 3, used 3, requested 1.";
                (429, error(said, "requests", "rate_limit_exceeded"))
            }
            Self::Limit { resets_at } => {
                headers.extend(windows(resets_at));
                (
                    429,
                    json!({"error": {
                        "type": "usage_limit_reached",
                        "message": "The usage limit has been reached",
                        "plan_type": "plus",
                        "resets_at": seconds(resets_at),
                        "resets_in_seconds": seconds(resets_at) - seconds(clock::now()),
                    }}),
                )
            }
            Self::Day => {
                let said = "You exceeded your current quota, please check your plan and billing.";
                (429, error(said, "insufficient_quota", "insufficient_quota"))
            }
            Self::KeyRefused => {
                let said = "Incorrect API key provided: dummy.";
                (401, error(said, "invalid_request_error", "invalid_api_key"))
            }
            Self::TooLong => {
                let said = match dialect {
                    Dialect::Chat => {
                        "This model's maximum context length is 128000 tokens. \
                                      However, your messages resulted in 150000 tokens."
                    }
                    _ => "Your input exceeds the context window of this model.",
                };
                (400, error(said, "invalid_request_error", "context_length_exceeded"))
            }
            Self::Broken | Self::Cut | Self::Silence => {
                let said = "The server had an error while processing your request.";
                (500, error(said, "server_error", "server_error"))
            }
        };
        (status, headers, body)
    }

    fn by_google(self) -> Refusal {
        let error = |code: u16, status: &str, message: &str, details: &[Value]| {
            (
                code,
                vec![],
                json!({"error": {
                    "code": code, "message": message, "status": status, "details": details,
                }}),
            )
        };
        let quota = |id: &str| {
            json!({
                "@type": "type.googleapis.com/google.rpc.QuotaFailure",
                "violations": [{
                    "quotaMetric": "generativelanguage.googleapis.com/generate_requests",
                    "quotaId": id,
                    "quotaValue": "100",
                }],
            })
        };
        let retry = |seconds: i64| {
            json!({
                "@type": "type.googleapis.com/google.rpc.RetryInfo",
                "retryDelay": format!("{seconds}s"),
            })
        };
        let exceeded = "You exceeded your current quota, please check your plan.";
        match self {
            Self::Busy { retry_after_s: None } => error(429, "RESOURCE_EXHAUSTED", exceeded, &[]),
            Self::Busy { retry_after_s: Some(delay_s) } => {
                let said = format!("{exceeded}\nPlease retry in {delay_s}s.");
                let details = [quota("RequestsPerMinute"), retry(delay_s as i64)];
                error(429, "RESOURCE_EXHAUSTED", &said, &details)
            }
            Self::Limit { resets_at } => {
                let delay_s = seconds(resets_at) - seconds(clock::now());
                let said = format!("{exceeded}\nPlease retry in {delay_s}s.");
                error(429, "RESOURCE_EXHAUSTED", &said, &[retry(delay_s)])
            }
            Self::Day => {
                error(429, "RESOURCE_EXHAUSTED", exceeded, &[quota("GenerateRequestsPerDay")])
            }
            Self::KeyRefused => {
                let reason = json!({
                    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                    "reason": "API_KEY_INVALID",
                    "domain": "googleapis.com",
                });
                let said = "API key not valid. Please pass a valid API key.";
                error(400, "INVALID_ARGUMENT", said, &[reason])
            }
            Self::TooLong => {
                let said = "The input token count (1200000) exceeds the maximum number of tokens \
                            allowed (1048576).";
                error(400, "INVALID_ARGUMENT", said, &[])
            }
            Self::Broken | Self::Cut | Self::Silence => {
                error(500, "INTERNAL", "An internal error has occurred. Please retry.", &[])
            }
        }
    }
}

/// What codex reads of its allowances: one that is used up, and one that is not.
fn windows(resets_at: At) -> [(&'static str, String); 6] {
    let (soon, later) = (seconds(resets_at), seconds(resets_at) + 86_400);
    [
        ("x-codex-primary-used-percent", "100.0".to_owned()),
        ("x-codex-primary-window-minutes", "300".to_owned()),
        ("x-codex-primary-reset-at", soon.to_string()),
        ("x-codex-secondary-used-percent", "37.0".to_owned()),
        ("x-codex-secondary-window-minutes", "10080".to_owned()),
        ("x-codex-secondary-reset-at", later.to_string()),
    ]
}

fn seconds(at: At) -> i64 {
    at.millis().div_euclid(1000)
}
