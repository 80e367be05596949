//! The formats that providers document for their tokens, and assignments that give a secret away.

use std::sync::LazyLock;

use regex::bytes::{Regex, RegexBuilder};

/// One format. The first group of the pattern is the secret.
pub(super) struct Rule {
    /// What findings are called.
    pub(super) name: &'static str,
    pattern: &'static str,
    /// What a match must stand up to.
    pub(super) doubt: Doubt,
}

/// What a match must stand up to before it counts.
#[derive(Clone, Copy)]
pub(super) enum Doubt {
    /// The format says enough; only placeholders are let off.
    Placeholder,
    /// It must decode as a signed JSON web token.
    WebToken,
    /// Only what stands before it says that it is secret: it must look random, too.
    Random,
    /// The same without quotes around it, where code looks alike.
    Unquoted,
    /// The same in lower case, where names look alike, too.
    UnquotedMixed,
}

impl Rule {
    /// The pattern. Where a word must begin, it may also follow an escaped line end or tab, as in
    /// transcripts that are JSON.
    fn pattern(&self) -> String {
        match self.pattern.strip_prefix(r"\b") {
            Some(rest) => format!(r"(?:\b|\\[nrt]){rest}"),
            None => self.pattern.to_owned(),
        }
    }
}

const fn format(name: &'static str, pattern: &'static str) -> Rule {
    Rule { name, pattern, doubt: Doubt::Placeholder }
}

/// Every rule but the one for key blocks, which spans lines.
pub(super) const RULES: &[Rule] = &[
    // AWS, "IAM identifiers", unique ID prefixes: AKIA for access keys, ASIA for temporary ones.
    format("aws_access_key", r"\b((?:AKIA|ASIA)[A-Z0-9]{16})\b"),
    // AWS, "Manage access keys": 40 characters; only its name gives it away.
    format(
        "aws_secret_key",
        r#"(?i:aws_?secret_?(?:access_?)?key)["']?[ \t]*[:=][ \t]*["']?([A-Za-z0-9/+]{40})(?:[^A-Za-z0-9/+=]|$)"#,
    ),
    // GitHub, "GitHub's token formats": a prefix per type; up to 255 characters are announced.
    format("github_token", r"\b(gh[pousr]_[A-Za-z0-9]{36,255})\b"),
    // GitHub, same page: fine-grained personal access tokens.
    format("github_fine_grained_token", r"\b(github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59})\b"),
    // GitLab, "Token overview", token prefixes; routable tokens continue after dots.
    format(
        "gitlab_token",
        r"\b(gl(?:pat|oas|dt|rt|cbt|ptt|ft|imt|agent|soat|ffct)-[A-Za-z0-9_-]{20,}(?:\.[A-Za-z0-9]{2}\.[A-Za-z0-9]{7,9})?)",
    ),
    // Slack, "Tokens": xoxb, xoxp and the rest; xapp for app-level tokens.
    format("slack_token", r"\b(xox[abeoprs]-[0-9A-Za-z]{8,}-[0-9A-Za-z-]{16,})"),
    format("slack_token", r"\b(xapp-[0-9]-[A-Z0-9]{8,}-[0-9]{8,}-[0-9a-f]{32,})\b"),
    // Slack, "Sending messages using incoming webhooks": the address is the credential.
    format(
        "slack_webhook",
        r"(https://hooks\.slack\.com/(?:services|workflows)/T[A-Z0-9]{7,}/[AB][A-Z0-9]{7,}/[A-Za-z0-9/]{20,})",
    ),
    // Stripe, "API keys": live secret and restricted keys; test keys reach no money.
    format("stripe_key", r"\b((?:sk|rk)_live_[A-Za-z0-9]{16,})\b"),
    // Google Cloud, "Manage API keys": AIza and 35 characters.
    format("google_api_key", r"\b(AIza[A-Za-z0-9_-]{35})(?:[^A-Za-z0-9_-]|$)"),
    // Google, "OAuth 2.0": client secrets made since 2021.
    format("google_client_secret", r"\b(GOCSPX-[A-Za-z0-9_-]{28})(?:[^A-Za-z0-9_-]|$)"),
    // Anthropic, "API overview": sk-ant-, then the kind with two digits.
    format("anthropic_key", r"\b(sk-ant-[a-z]{3,8}[0-9]{2}-[A-Za-z0-9_-]{32,})"),
    // OpenAI, "API keys": project, service and administrator keys; before 2024 plain sk- keys.
    format("openai_key", r"\b(sk-(?:proj|svcacct|admin|None)-[A-Za-z0-9_-]{32,})"),
    format("openai_key", r"\b(sk-[A-Za-z0-9]{48})\b"),
    // npm, "About access tokens": npm_ and 36 characters with a checksum at the end.
    format("npm_token", r"\b(npm_[A-Za-z0-9]{36})\b"),
    // npm, ".npmrc", auth related configuration: other registries have their own tokens.
    format(
        "npmrc_token",
        r"(?m:^)[^#;\r\n]{0,200}:_auth(?:Token)?[ \t]*=[ \t]*([A-Za-z0-9_.=+/-]{16,})",
    ),
    // PyPI, "How do I get an API token": pypi- before a macaroon that names its site.
    format("pypi_token", r"\b(pypi-AgE[A-Za-z0-9_-]{60,})"),
    // crates.io, "API tokens": cio and 32 characters.
    format("crates_io_token", r"\b(cio[A-Za-z0-9]{32})\b"),
    // Hugging Face, "User access tokens".
    format("hugging_face_token", r"\b(hf_[A-Za-z0-9]{34,})\b"),
    // SendGrid, "API keys": SG., 22 and 43 characters.
    format("sendgrid_key", r"\b(SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43})"),
    // DigitalOcean, "Personal access tokens": dop_v1_; doo and dor for OAuth.
    format("digitalocean_token", r"\b(do[opr]_v1_[a-f0-9]{64})\b"),
    // Docker, "Personal access tokens".
    format("docker_token", r"\b(dckr_(?:pat|oat)_[A-Za-z0-9_-]{27,})"),
    // HashiCorp Vault, "Tokens", token prefixes.
    format("vault_token", r"\b(hv[sbr]\.[A-Za-z0-9_-]{24,})"),
    // age, file format specification: Bech32 in upper case.
    format("age_key", r"\b(AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58})\b"),
    // Azure Storage, "Configure connection strings": 64 bytes in Base64.
    format("azure_storage_key", r"\bAccountKey=([A-Za-z0-9+/]{86}==)"),
    // RFC 7519 and RFC 7515, section 7.1: header, payload and signature.
    Rule {
        name: "jwt",
        pattern: r"\b(eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{20,})",
        doubt: Doubt::WebToken,
    },
    // RFC 3986, section 3.2.1: a password before the host.
    Rule {
        name: "url_password",
        pattern: r#"\b[a-z][a-z0-9+.-]{1,20}://[^\s:/@"'`]{0,100}:([^\s:/@"'`]{8,200})@[^\s"'`]"#,
        doubt: Doubt::Random,
    },
    // RFC 6750, section 2.1, and RFC 7617.
    Rule {
        name: "authorization",
        pattern: r#"(?i:\bauthorization["']?[ \t]*[:=,][ \t]*["']?(?:bearer|basic|token)[ \t]+)([A-Za-z0-9+/=_.~-]{20,})"#,
        doubt: Doubt::Random,
    },
    Rule {
        name: "assigned_secret",
        pattern: r#"(?i:(?:passwo?r?d|passphrase|pwd|secret|token|credentials?|(?:api|access|secret|auth|private|encryption|signing|master)[_.-]?key))(?:\\?["'`]\]?)?[ \t]{0,20}(?::[ \t]{0,4}[&A-Za-z][&A-Za-z<>'\[\] ]{0,24})?(?:=>|:=|={1,3}|:)[ \t]{0,20}[bru]{0,2}\\?["'`]([^\s"'`\\]{12,200})\\?["'`]"#,
        doubt: Doubt::Random,
    },
    Rule {
        name: "assigned_secret",
        pattern: r#"(?m:^)[+ \t]*(?:(?:export|set|ENV|ARG|-)[ \t]+)?[A-Z][A-Z0-9_]{0,60}(?:PASSWORD|PASSWD|PWD|SECRET|TOKEN|KEY|CREDENTIALS?)[ \t]?=[ \t]?([^\s"'`#;]{16,200})[ \t\r]*(?m:$)"#,
        doubt: Doubt::Unquoted,
    },
    Rule {
        name: "assigned_secret",
        pattern: r#"(?m:^)[+ \t-]*[A-Za-z0-9_.-]{0,60}(?i:password|passwd|secret|token|api[_-]?key|access[_-]?key|secret[_-]?key)[ \t]*:[ \t]+([^\s"'`#,;]{16,200})[ \t\r]*(?m:$)"#,
        doubt: Doubt::UnquotedMixed,
    },
];

/// The rules' patterns, in their order. One by one each is found by its first letters; a set of them
/// is a hundred times slower.
pub(super) static PATTERNS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    let build = |rule: &Rule| RegexBuilder::new(&rule.pattern()).unicode(false).build();
    let patterns: Result<_, _> = RULES.iter().map(build).collect();
    patterns.expect("a test builds every pattern")
});
