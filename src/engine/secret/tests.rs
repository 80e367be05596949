//! One finding per rule, and what must not be one. Tokens are put together here, so that no scanner
//! finds them in this file.

use proptest::prelude::*;
use rstest::rstest;

use super::rules::{PATTERNS, RULES};
use super::{Hit, Redactor, redact, scan, scan_patch};

const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const HEX: &str = "0123456789abcdef";
const BECH32: &str = "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L";

/// So many characters that look random and are always the same.
fn noise(alphabet: &str, length: usize) -> String {
    let alphabet = alphabet.as_bytes();
    let mut state = 0x2545_f491_u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        char::from(alphabet[state as usize % alphabet.len()])
    };
    (0..length).map(|_| next()).collect()
}

fn token(prefix: &str, length: usize) -> String {
    format!("{prefix}{}", noise(LETTERS, length))
}

fn web_token(header: &str, payload: &str) -> String {
    use base64::Engine as _;
    let encode = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.{}", encode(header), encode(payload), noise(LETTERS, 43))
}

fn key(kind: &str, lines: usize) -> String {
    let body = format!("{}\n", noise(LETTERS, 64)).repeat(lines);
    format!("-----BEGIN {kind}-----\n{body}-----END {kind}-----\n")
}

fn rules_of(text: &str) -> Vec<&'static str> {
    scan(text.as_bytes()).into_iter().map(|hit| hit.rule).collect()
}

#[rstest]
#[case("aws_access_key", format!("AKIA{}", noise(UPPER, 16)))]
#[case("aws_access_key", format!("x = \"ASIA{}\"", noise(UPPER, 16)))]
#[case("aws_secret_key", format!("aws_secret_access_key = {}", noise(LETTERS, 40)))]
#[case("aws_secret_key", format!("\"AwsSecretKey\": \"{}/\"", noise(LETTERS, 39)))]
#[case("github_token", token("ghp_", 36))]
#[case("github_token", token("ghs_", 76))]
#[case("github_fine_grained_token", token(&token("github_pat_", 22), 0) + "_" + &noise(LETTERS, 59))]
#[case("gitlab_token", token("glpat-", 20))]
#[case("gitlab_token", token("glrt-", 27) + ".01.1a2b3c4d5")]
#[case("slack_token", format!("xoxb-{}-{}-{}", noise("123456789", 12), noise("123456789", 12), noise(LETTERS, 24)))]
#[case("slack_token", format!("xapp-1-{}-{}-{}", noise(UPPER, 11), noise("123456789", 13), noise(HEX, 64)))]
#[case("slack_webhook", format!("https://hooks.slack.com/services/T{}/B{}/{}", noise(UPPER, 10), noise(UPPER, 10), noise(LETTERS, 24)))]
#[case("stripe_key", token("sk_live_", 24))]
#[case("stripe_key", token("rk_live_", 99))]
#[case("google_api_key", token("AIza", 35))]
#[case("google_client_secret", token("GOCSPX-", 28))]
#[case("anthropic_key", token("sk-ant-api03-", 95))]
#[case("openai_key", token("sk-proj-", 156))]
#[case("openai_key", token("sk-", 48))]
#[case("npm_token", token("npm_", 36))]
#[case("npmrc_token", format!("//registry.corp/:_authToken={}", noise(HEX, 32)))]
#[case("pypi_token", token("pypi-AgEIcHlwaS5vcmc", 130))]
#[case("crates_io_token", token("cio", 32))]
#[case("hugging_face_token", token("hf_", 34))]
#[case("sendgrid_key", token("SG.", 22) + "." + &noise(LETTERS, 43))]
#[case("digitalocean_token", format!("dop_v1_{}", noise(HEX, 64)))]
#[case("docker_token", token("dckr_pat_", 27))]
#[case("vault_token", token("hvs.", 90))]
#[case("age_key", format!("AGE-SECRET-KEY-1{}", noise(BECH32, 58)))]
#[case("azure_storage_key", format!("AccountKey={}==;", noise(LETTERS, 86)))]
#[case("jwt", web_token(r#"{"alg":"RS256","typ":"JWT"}"#, r#"{"sub":"42","iat":1700000000}"#))]
#[case("url_password", format!("postgres://app:{}@db.corp:5432/app", noise(LETTERS, 20)))]
#[case("authorization", format!("Authorization: Bearer {}", noise(LETTERS, 40)))]
#[case("authorization", format!("'authorization': 'Basic {}='", noise(LETTERS, 31)))]
#[case("assigned_secret", format!("password = \"{}\"", noise(LETTERS, 16)))]
#[case("assigned_secret", format!("DB_PASSWORD: '{}'", noise(LETTERS, 20)))]
#[case("assigned_secret", format!("\"clientSecret\": \"{}\"", noise(LETTERS, 32)))]
#[case("assigned_secret", format!("config['api_key'] = '{}'", noise(HEX, 32)))]
#[case("assigned_secret", format!("const API_KEY: &'static str = \"{}\";", noise(LETTERS, 32)))]
#[case("assigned_secret", format!("apiKey := `{}`", noise(LETTERS, 32)))]
#[case("assigned_secret", format!("export SECRET_KEY={}\n", noise(HEX, 64)))]
#[case("assigned_secret", format!("a\r\nAPP_TOKEN={}\r\nb", noise(LETTERS, 32)))]
#[case("assigned_secret", format!("  password: {}\n", noise(LETTERS, 24)))]
#[case("assigned_secret", ["pass", "word = \"kT9!vQ2#xLm7\""].concat())]
#[case("assigned_secret", format!(r#"{{"text":"{{\"password\": \"{}\"}}"}}"#, noise(LETTERS, 20)))]
#[case("github_token", format!(r#"{{"text":"first\n{}\nlast"}}"#, token("ghp_", 36)))]
#[case("private_key", key("PRIVATE KEY", 10))]
#[case("private_key", key("RSA PRIVATE KEY", 20))]
#[case("private_key", key("OPENSSH PRIVATE KEY", 5))]
#[case("private_key", key("PGP PRIVATE KEY BLOCK", 5).replacen("-----\n", "-----\nVersion: x\n\n", 1))]
#[case("private_key", key("EC PRIVATE KEY", 3).replacen("-----\n", "-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n", 1))]
#[case("private_key", format!("{:?}", key("PRIVATE KEY", 10)))]
#[case("private_key", key("PRIVATE KEY", 10).replace('\n', "\r\n"))]
#[case("private_key", key("PRIVATE KEY", 10).replace('\n', "\\n\" +\n    \""))]
fn a_secret_is_found(#[case] rule: &str, #[case] text: String) {
    assert_eq!(rules_of(&text), [rule], "{text}");
    let padded = format!("first\n{text}\nlast");
    assert_eq!(rules_of(&padded), [rule], "{padded}");
    assert!(scan(padded.as_bytes())[0].line >= 2);
}

#[test]
fn every_rule_has_a_case() {
    let source = include_str!("tests.rs");
    for rule in RULES {
        assert!(source.contains(&format!("#[case(\"{}\"", rule.name)), "{}", rule.name);
    }
    assert_eq!(PATTERNS.len(), RULES.len());
}

#[rstest]
#[case::crossed_out(format!("ghp_{}", "x".repeat(36)))]
#[case::one_letter(format!("AKIA{}", "A".repeat(16)))]
#[case::manual_of_aws(["AKIAIOSFODNN7", "EXAMPLE"].concat())]
#[case::longer_word(format!("xAKIA{}", noise(UPPER, 16)))]
#[case::too_short(token("ghp_", 20))]
#[case::stripe_test_key(token("sk_test_", 24))]
#[case::word_with_dashes("task-management-and-scheduling-for-everybody-in-the-company".to_owned())]
#[case::variable("password = \"${DB_PASSWORD_2}\"".to_owned())]
#[case::other_variable("token: \"{{ secrets.Deploy_Token_9 }}\"".to_owned())]
#[case::environment("apiKey = process.env.API_KEY_2_LONG_NAME".to_owned())]
#[case::call("token = read_token(path, 12345678901234)".to_owned())]
#[case::change_me("password = \"ChangeMe123456!\"".to_owned())]
#[case::of_an_example("SECRET_KEY = \"my-example-key-1A2b3C4d5E6f\"".to_owned())]
#[case::of_a_test("password = \"Test-Passw0rd-123\"".to_owned())]
#[case::angle_brackets("token = \"<YOUR-TOKEN-1A2b3C>\"".to_owned())]
#[case::series("secret = \"abcdefghijklmnop1234567890\"".to_owned())]
#[case::words("token_name = \"github_access_v2\"; secret = \"projects/app/v1/main\"".to_owned())]
#[case::only_letters("password = \"correcthorsebatterystaple\"".to_owned())]
#[case::path("password_file = \"/run/db1-a8Kd93jLs02nQ\"".to_owned())]
#[case::uuid("token = \"9b2f1c64-7a0e-4f5d-9c3b-2e8a6d1f0b47\"".to_owned())]
#[case::hashed("password = \"$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW\"".to_owned())]
#[case::lock_file(format!("name = \"a\"\nchecksum = \"{}\"", noise(HEX, 64)))]
#[case::other_lock_file(format!("\"integrity\": \"sha512-{}==\"", noise(LETTERS, 86)))]
#[case::digest(format!("sha256:{}", noise(HEX, 64)))]
#[case::commit(format!("commit {}", noise(HEX, 40)))]
#[case::test_data(format!("let data = \"{}==\";", noise(LETTERS, 86)))]
#[case::image(format!("src=\"data:image/png;base64,{}\"", noise(LETTERS, 400)))]
#[case::public_key(key("PUBLIC KEY", 4))]
#[case::certificate(key("CERTIFICATE", 20))]
#[case::ssh_public_key(format!("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{} me@host", noise(LETTERS, 43)))]
#[case::parser_of_keys(
    "if line == \"-----BEGIN PRIVATE KEY-----\" {\n    return Some(Kind::Key);\n}\n".to_owned()
)]
#[case::key_left_out("-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----\n".to_owned())]
#[case::manual_of_web_tokens(web_token(
    r#"{"alg":"HS256","typ":"JWT"}"#,
    r#"{"sub":"1234567890","name":"John Doe","iat":1516239022}"#
))]
#[case::unsigned_web_token(web_token(r#"{"alg":"none"}"#, r#"{"sub":"42"}"#))]
#[case::no_web_token(format!("eyJ{}.eyJ{}.{}", noise(LETTERS, 20), noise(LETTERS, 20), noise(LETTERS, 43)))]
#[case::local_database("postgres://postgres:postgres@localhost:5432/test".to_owned())]
#[case::address_with_a_port("http://localhost:8080/users/me@host".to_owned())]
#[case::scp("git@github.com:rust-lang/rust.git".to_owned())]
#[case::rust_field("struct A {\n    token: TokenStream2,\n    secret: SecretString\n}".to_owned())]
#[case::typescript("password: string;\ntoken: Promise<Token2>".to_owned())]
#[case::npmrc_variable("//registry.example.org/:_authToken=${NPM_TOKEN}".to_owned())]
#[case::make("API_KEY=$(shell cat key.txt)\nTOKEN=$$(pass show x)".to_owned())]
#[case::authorization_of_a_manual("Authorization: Basic dXNlcm5hbWU6cGFzc3dvcmQ=".to_owned())]
#[case::name_in_a_module("credentials = \"google_oauth2.Credentials\"".to_owned())]
#[case::cut_off("token: 'eyJ2IjoiMSIsInMiOjEsImMiOi...'".to_owned())]
#[case::redacted("token = \"[redacted: github_token]\"".to_owned())]
#[case::nothing(String::new())]
fn what_is_no_secret_is_not_found(#[case] text: String) {
    assert_eq!(scan(text.as_bytes()), []);
}

#[test]
fn a_hit_says_where() {
    let secret = token("ghp_", 36);
    let text = format!("a\nb {secret} c\n");
    assert_eq!(
        scan(text.as_bytes()),
        [Hit { line: 2, rule: "github_token", span: 4..4 + secret.len() }]
    );
}

#[test]
fn a_key_block_counts_once_and_goes_whole() {
    let text = format!("before\n{}after {}\n", key("RSA PRIVATE KEY", 20), token("ghp_", 36));
    assert_eq!(rules_of(&text), ["private_key", "github_token"]);
    let clean = String::from_utf8(redact(text.as_bytes()).into_owned()).unwrap();
    assert!(!clean.contains(&noise(LETTERS, 20)), "{clean}");
    assert!(clean.starts_with("before\n-----BEGIN RSA") && clean.contains("-----END RSA"));
    assert!(clean.ends_with("after [redacted: github_token]\n"));
}

#[test]
fn a_stream_is_redacted_like_the_whole() {
    let text = format!("x\n{}{}\ny", key("PRIVATE KEY", 4), token("npm_", 36));
    let mut redactor = Redactor::default();
    let mut pieces = Vec::new();
    for line in text.as_bytes().split_inclusive(|byte| *byte == b'\n') {
        pieces.extend_from_slice(&redactor.lines(line));
    }
    assert_eq!(pieces, redact(text.as_bytes()).into_owned());
}

/// A patch of one file: its lines, below a header that puts them below each other.
fn patch(path: &str, lines: &str) -> String {
    format!("diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n@@ -1,3 +1,3 @@\n{lines}")
}

const BEGIN: &str = "-----BEGIN RSA PRIVATE KEY-----\n";

/// What a program may well hold, and a key, too.
fn assignment() -> String {
    format!("+{}\n+name=Ada\n", "x=".repeat(30))
}

#[rstest]
#[case::of_another_file(patch("a", &format!("+{BEGIN}")) + &patch("b", &assignment()))]
#[case::of_another_place(patch("a", &format!("+{BEGIN}@@ -9 +9 @@\n{}", assignment())))]
#[case::that_is_removed(patch("a", &format!("+{BEGIN} \n-{}\n+name=Ada\n", noise(LETTERS, 64))))]
fn a_key_hides_nothing(#[case] text: String) {
    let shown = String::from_utf8(redact(text.as_bytes()).into_owned()).unwrap();
    assert!(shown.ends_with("+name=Ada\n"), "{shown}");
    assert_eq!(scan_patch(text.as_bytes()), []);
}

#[rstest]
#[case::a_frame_that_was_there(format!(" {BEGIN}-placeholder\n+{}\n", noise(LETTERS, 64)), 2)]
#[case::what_seems_redacted(format!("+{BEGIN}+[redacted: x]\n+name=Ada\n"), 3)]
#[case::a_token(format!("-x\n+{}\n", token("ghp_", 36)), 1)]
fn what_is_hidden_in_a_patch_is_found(#[case] lines: String, #[case] line: u64) {
    let text = patch("a", &lines);
    let shown = redact(text.as_bytes()).into_owned();
    assert_ne!(shown, text.as_bytes());
    let lines: Vec<u64> = scan_patch(text.as_bytes()).iter().map(|hit| hit.line).collect();
    assert_eq!(lines, [line]);
}

#[test]
fn a_key_may_give_way_to_a_placeholder() {
    let key = noise(LETTERS, 64);
    let text = patch("a", &format!(" {BEGIN}-{key}\n+REPLACEME\n -----END RSA PRIVATE KEY-----\n"));
    let shown = redact(text.as_bytes()).into_owned();
    let shown = String::from_utf8(shown).unwrap();
    assert!(shown.contains("\n-[redacted: private_key]\n+REPLACEME\n"), "{shown}");
    assert_eq!(scan_patch(text.as_bytes()), []);
    assert_eq!(scan_patch(shown.as_bytes()), []);
}

#[test]
fn text_without_secrets_is_borrowed() {
    assert!(matches!(redact(b"plain\n"), std::borrow::Cow::Borrowed(b"plain\n")));
}

/// A scan that takes quadratic time would run into the limit that every test has.
#[test]
fn hostile_repetition_is_read_to_its_end() {
    let pieces =
        ["eyJaaaaaaaa-", "password=\"", "a://:", "-----BEGIN PRIVATE KEY-----", "AKIA ", "\n+ "];
    for piece in pieces {
        let text = piece.repeat(200_000 / piece.len());
        let hits = scan(format!("{text}\n{}", token("ghp_", 36)).as_bytes());
        assert!(!hits.is_empty(), "{piece}");
    }
}

fn hostile_text() -> impl Strategy<Value = String> {
    let pieces = vec![
        "password".to_owned(),
        " = \"".to_owned(),
        "\"".to_owned(),
        "\n".to_owned(),
        "-----BEGIN PRIVATE KEY-----".to_owned(),
        "-----END PRIVATE KEY-----".to_owned(),
        noise(LETTERS, 64),
        token("ghp_", 36),
        "[redacted: x]".to_owned(),
        "ä\r\n".to_owned(),
    ];
    proptest::collection::vec(proptest::sample::select(pieces), 0..30).prop_map(|all| all.concat())
}

proptest! {
    #[test]
    fn redacted_text_holds_no_secret(text in hostile_text()) {
        let once = redact(text.as_bytes()).into_owned();
        prop_assert_eq!(scan(&once), vec![]);
    }

    #[test]
    fn hits_lie_in_the_text_in_order(text in hostile_text()) {
        let hits = scan(text.as_bytes());
        for pair in hits.windows(2) {
            prop_assert!(pair[0].span.end <= pair[1].span.start && pair[0].line <= pair[1].line);
        }
        prop_assert!(hits.iter().all(|hit| hit.span.end <= text.len()));
    }

    #[test]
    fn any_bytes_can_be_scanned(bytes in proptest::collection::vec(any::<u8>(), 0..500)) {
        scan(&bytes);
        redact(&bytes);
    }
}

/// In a file of two or four bytes per letter, and between bytes of zero.
#[rstest]
#[case::utf_16_le(|text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect())]
#[case::utf_16_be(|text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect())]
#[case::utf_32(|text: &str| text.chars().flat_map(|char| (char as u32).to_le_bytes()).collect())]
#[case::in_a_binary(|text: &str| [b"\0", text.as_bytes(), b"\0"].concat())]
fn letters_of_any_width_are_read(#[case] encode: fn(&str) -> Vec<u8>) {
    let (one, other) = (token("ghp_", 36), format!("AKIA{}", noise(UPPER, 16)));
    let bytes = encode(&format!("first\nx {one} y\n{other}\n"));
    let hits = scan(&bytes);
    let found: Vec<_> = hits.iter().map(|hit| (hit.rule, hit.line)).collect();
    assert!(
        found.contains(&("github_token", 2)) && found.contains(&("aws_access_key", 3)),
        "{found:?}"
    );
    for hit in hits {
        let text: Vec<u8> = bytes[hit.span].iter().copied().filter(|byte| *byte != 0).collect();
        assert!([one.as_bytes(), other.as_bytes()].contains(&text.as_slice()), "{text:?}");
    }
}

/// Letters that are not ASCII, right before and behind it, are no part of a token.
#[rstest]
#[case::low_byte_first(u16::to_le_bytes)]
#[case::high_byte_first(u16::to_be_bytes)]
fn a_token_among_letters_of_other_kinds_is_read(#[case] bytes: fn(u16) -> [u8; 2]) {
    let text = format!("鍵は\nキーはAKIA{}です", noise(UPPER, 16));
    let wide: Vec<u8> = text.encode_utf16().flat_map(bytes).collect();
    let found: Vec<_> = scan(&wide).iter().map(|hit| (hit.rule, hit.line)).collect();
    assert_eq!(found, [("aws_access_key", 2)]);
    let again: Vec<u8> = text.replace('は', " ").encode_utf16().flat_map(bytes).collect();
    assert_eq!(scan(&again).len(), 1);
}
