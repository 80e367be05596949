//! Paths whose very name says that the file holds a secret.

use crate::engine::id::RepoPath;
use crate::engine::text::is_hidden;

const ENVIRONMENT: &str = "an environment file";
const PRIVATE_KEY: &str = "a private key";
const KEY_STORE: &str = "a store of keys or passwords";
const CREDENTIALS: &str = "credentials of a tool or a service";

/// Endings that say that a file shows the form of a secret and not the secret.
const SHOWN: [&str; 7] =
    [".example", ".sample", ".template", ".tmpl", ".dist", ".defaults", ".schema"];

/// Whole names, in lower case.
const NAMES: [(&str, &str); 26] = [
    (".env", ENVIRONMENT),
    ("id_rsa", PRIVATE_KEY),
    ("id_dsa", PRIVATE_KEY),
    ("id_ecdsa", PRIVATE_KEY),
    ("id_ecdsa_sk", PRIVATE_KEY),
    ("id_ed25519", PRIVATE_KEY),
    ("id_ed25519_sk", PRIVATE_KEY),
    (".netrc", CREDENTIALS),
    ("_netrc", CREDENTIALS),
    (".pgpass", CREDENTIALS),
    (".my.cnf", CREDENTIALS),
    (".htpasswd", CREDENTIALS),
    (".git-credentials", CREDENTIALS),
    (".pypirc", CREDENTIALS),
    (".dockercfg", CREDENTIALS),
    (".vault-token", CREDENTIALS),
    (".s3cfg", CREDENTIALS),
    (".boto", CREDENTIALS),
    ("credentials.tfrc.json", CREDENTIALS),
    ("application_default_credentials.json", CREDENTIALS),
    ("kubeconfig", CREDENTIALS),
    ("terraform.tfstate", CREDENTIALS),
    ("terraform.tfstate.backup", CREDENTIALS),
    ("wallet.dat", KEY_STORE),
    ("secring.gpg", PRIVATE_KEY),
    ("master.key", PRIVATE_KEY),
];

/// Endings of names.
const ENDINGS: [(&str, &str); 12] = [
    (".pem", PRIVATE_KEY),
    (".key", PRIVATE_KEY),
    (".ppk", PRIVATE_KEY),
    (".p8", PRIVATE_KEY),
    (".p12", KEY_STORE),
    (".pfx", KEY_STORE),
    (".jks", KEY_STORE),
    (".keystore", KEY_STORE),
    (".kdb", KEY_STORE),
    (".kdbx", KEY_STORE),
    (".keychain", KEY_STORE),
    (".agekey", PRIVATE_KEY),
];

/// Endings of whole paths: a directory and a name.
const PLACES: [(&str, &str); 5] = [
    (".aws/credentials", CREDENTIALS),
    (".kube/config", CREDENTIALS),
    (".docker/config.json", CREDENTIALS),
    (".cargo/credentials", CREDENTIALS),
    (".cargo/credentials.toml", CREDENTIALS),
];

/// Endings of source files and documents: they may talk about private keys.
const TALK: [&str; 30] = [
    ".rs", ".py", ".go", ".js", ".mjs", ".cjs", ".jsx", ".ts", ".tsx", ".java", ".kt", ".scala",
    ".c", ".h", ".cc", ".cpp", ".hpp", ".cs", ".swift", ".m", ".rb", ".php", ".pl", ".ex", ".erl",
    ".hs", ".md", ".rst", ".adoc", ".html",
];

/// Why this path looks like a secret. Case, look-alike letters and invisible ones do not hide it.
pub fn secret_path(path: &RepoPath) -> Option<&'static str> {
    let path = folded(path);
    let name = path.rsplit('/').next().unwrap_or(&path);
    if SHOWN.iter().any(|ending| name.ends_with(ending)) || is_public(name) {
        return None;
    }
    let by_name = NAMES.iter().find(|(text, _)| name == *text);
    let by_ending = ENDINGS.iter().find(|(text, _)| name.ends_with(text));
    let by_place = PLACES.iter().find(|(text, _)| {
        path.strip_suffix(text).is_some_and(|before| before.is_empty() || before.ends_with('/'))
    });
    if let Some((_, why)) = by_name.or(by_ending).or(by_place) {
        return Some(why);
    }
    if name.starts_with(".env.") {
        return Some(ENVIRONMENT);
    }
    if path.starts_with(".ssh/") || path.contains("/.ssh/") {
        return Some(PRIVATE_KEY);
    }
    let words = name.replace('-', "_");
    let is_service = ["service_account", "serviceaccount", "client_secret", "firebase_adminsdk"]
        .iter()
        .any(|word| words.contains(word));
    if is_service && name.ends_with(".json") {
        return Some(CREDENTIALS);
    }
    let is_talk = TALK.iter().any(|ending| name.ends_with(ending));
    let names_key = path.replace('-', "_").contains("private_key");
    (names_key && !is_talk).then_some(PRIVATE_KEY)
}

fn is_public(name: &str) -> bool {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    name.ends_with(".pub")
        || stem == "public"
        || [".pub", ".public", "_public", "-public", "_pub", "-pub"]
            .iter()
            .any(|ending| stem.ends_with(ending))
}

/// The path in the letters that a reader, or a careless file system, sees.
fn folded(path: &RepoPath) -> String {
    let text = String::from_utf8_lossy(path.as_bytes());
    let text: String = text
        .chars()
        .filter(|char| !is_hidden(*char))
        .flat_map(char::to_lowercase)
        .map(|char| if char == '\\' { '/' } else { look_alike(char) })
        .collect();
    // Some file systems drop what ends a name.
    text.trim_end_matches([' ', '.']).to_owned()
}

/// The ASCII letter that a lower-case character looks like.
fn look_alike(char: char) -> char {
    match char {
        '\u{ff01}'..='\u{ff5e}' => {
            let code = u32::from(char) - 0xfee0;
            char::from_u32(code).map_or(char, |ascii| ascii.to_ascii_lowercase())
        }
        'а' | 'α' | 'ɑ' => 'a',
        'с' | 'ϲ' => 'c',
        'ԁ' | 'ɗ' => 'd',
        'е' | 'ε' | 'ҽ' => 'e',
        'һ' => 'h',
        'і' | 'ι' | 'ı' => 'i',
        'ј' => 'j',
        'к' | 'κ' => 'k',
        'ӏ' => 'l',
        'м' => 'm',
        'п' | 'η' => 'n',
        'о' | 'ο' => 'o',
        'р' | 'ρ' => 'p',
        'г' => 'r',
        'ѕ' => 's',
        'т' | 'τ' => 't',
        'υ' => 'u',
        'ν' | 'ѵ' => 'v',
        'ѡ' | 'ω' => 'w',
        'х' | 'χ' => 'x',
        'у' | 'γ' => 'y',
        '․' | '。' => '.',
        '‐' | '‑' | '–' => '-',
        _ => char,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(".env", ENVIRONMENT)]
    #[case("app/.env.local", ENVIRONMENT)]
    #[case(".env.example.local", ENVIRONMENT)]
    #[case(".ENV", ENVIRONMENT)]
    #[case(".еnv", ENVIRONMENT)]
    #[case(".e\u{200b}nv", ENVIRONMENT)]
    #[case("．ｅｎｖ", ENVIRONMENT)]
    #[case(".env ", ENVIRONMENT)]
    #[case(r"app\.env", ENVIRONMENT)]
    #[case("certs/server.pem", PRIVATE_KEY)]
    #[case("certs/server.key", PRIVATE_KEY)]
    #[case("id_rsa", PRIVATE_KEY)]
    #[case("deploy/id_ed25519", PRIVATE_KEY)]
    #[case("id_ecdsa", PRIVATE_KEY)]
    #[case(".ssh/config", PRIVATE_KEY)]
    #[case("home/.ssh/work", PRIVATE_KEY)]
    #[case("keys/my_private_key.txt", PRIVATE_KEY)]
    #[case("private-key/one", PRIVATE_KEY)]
    #[case("putty.ppk", PRIVATE_KEY)]
    #[case("store.P12", KEY_STORE)]
    #[case("store.pfx", KEY_STORE)]
    #[case("passwords.kdbx", KEY_STORE)]
    #[case("release.keystore", KEY_STORE)]
    #[case(".netrc", CREDENTIALS)]
    #[case("home/.aws/credentials", CREDENTIALS)]
    #[case(".kube/config", CREDENTIALS)]
    #[case("gcp/my-service-account.json", CREDENTIALS)]
    #[case("client_secret_12.json", CREDENTIALS)]
    #[case("infra/terraform.tfstate", CREDENTIALS)]
    fn a_path_looks_secret(#[case] path: &str, #[case] want: &str) {
        assert_eq!(secret_path(&RepoPath::new(path).unwrap()), Some(want));
    }

    #[rstest]
    #[case(".env.example")]
    #[case(".env.sample")]
    #[case("app/.env.template")]
    #[case(".env.local.example")]
    #[case(".envrc")]
    #[case("src/env.rs")]
    #[case("environment/.envoy.yaml")]
    #[case("id_rsa.pub")]
    #[case(".ssh/work.pub")]
    #[case("certs/public.pem")]
    #[case("jwt_public.key")]
    #[case("src/private_key.rs")]
    #[case("docs/private-key.md")]
    #[case("src/service_account.rs")]
    #[case("service-account.json.example")]
    #[case("aws/credentials")]
    #[case("kube/config")]
    #[case("my.aws/credentials")]
    #[case(".npmrc")]
    #[case("src/keys.rs")]
    #[case("src/key")]
    #[case("monkey")]
    #[case("Cargo.lock")]
    fn a_path_does_not(#[case] path: &str) {
        assert_eq!(secret_path(&RepoPath::new(path).unwrap()), None);
    }

    #[test]
    fn a_path_that_is_not_utf8_is_judged_too() {
        assert!(secret_path(&RepoPath::new(*b"bad\xff/.env").unwrap()).is_some());
    }
}
