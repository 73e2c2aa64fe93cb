//! Generates the tables of `docs/settings.md` and `docs/rules.md` from the
//! comments in `src/cache/config/settings.rs`, fails if a page is out of date, and
//! checks the ranges and defaults in the comments.

use edgekeep::cache::config::rules::Rules;
use edgekeep::cache::config::setting_sources::DEFAULT_SETTINGS;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

const UPDATE: &str = "UPDATE_DOCS=1 cargo test --test house settings_reference";
const PAGES: [&str; 2] = ["docs/settings.md", "docs/rules.md"];
const PAGE_LINES_MAX: usize = 250;

/// A struct or an enum of the source.
#[derive(Debug)]
struct Item {
    name: String,
    doc: String,
    fields: Vec<Field>,
}

/// A field of a struct.
#[derive(Debug)]
struct Field {
    /// The `// Title` above the field, if it is the first of a group.
    group: Option<String>,
    name: String,
    kind: String,
    meaning: String,
    default: String,
}

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The public structs and enums of the source, with the fields of the structs.
fn items() -> Vec<Item> {
    let read = |name| fs::read_to_string(file(name)).expect("the source");
    let source = read("src/cache/config/settings.rs") + &read("src/cache/config/setting_words.rs");
    let mut items: Vec<Item> = Vec::new();
    let (mut doc, mut group) = (String::new(), None);
    for line in source.lines() {
        let code = line.trim_start();
        if let Some(text) = code.strip_prefix("///") {
            doc = format!("{doc} {}", text.trim()).trim().to_owned();
        } else if let Some(name) = item_name(code) {
            items.push(Item {
                name,
                doc: std::mem::take(&mut doc),
                fields: Vec::new(),
            });
        } else if let Some((name, kind)) = field(code) {
            let item = items.last_mut().expect("a field of an item");
            let (meaning, default) = split_default(&name, &doc);
            doc.clear();
            item.fields.push(Field {
                group: group.take(),
                name,
                kind,
                meaning,
                default,
            });
        } else if let Some(title) = code.strip_prefix("// ") {
            // Below a doc comment, a comment does not begin a group.
            if doc.is_empty() {
                group = Some(title.to_owned());
            }
        } else if code.starts_with('}') {
            doc.clear();
        }
    }
    items
}

/// The name in `pub struct Name {` or `pub enum Name {`.
fn item_name(code: &str) -> Option<String> {
    let rest = code.strip_prefix("pub ")?;
    let rest = rest
        .strip_prefix("struct ")
        .or(rest.strip_prefix("enum "))?;
    let name = rest.split(|c: char| !c.is_alphanumeric()).next()?;
    Some(name.to_owned())
}

/// The name and the type in `pub name: Type,`.
fn field(code: &str) -> Option<(String, String)> {
    let code = code
        .strip_prefix("pub ")
        .filter(|code| !code.starts_with("fn "))?;
    let (name, kind) = code.split_once(": ")?;
    let kind = kind.trim_end_matches(',');
    let kind = kind
        .strip_prefix("Option<")
        .and_then(|kind| kind.strip_suffix('>'))
        .unwrap_or(kind);
    Some((name.to_owned(), kind.to_owned()))
}

/// Splits the comment of a field into its meaning and its default, which is the
/// last sentence.
fn split_default(name: &str, doc: &str) -> (String, String) {
    let parts = match doc.strip_suffix("Required.") {
        Some(meaning) => Some((meaning, "required")),
        None => doc
            .strip_suffix('.')
            .and_then(|doc| doc.rsplit_once("Default: ")),
    };
    let (meaning, default) =
        parts.unwrap_or_else(|| panic!("{name}: the comment must end with the default: {doc:?}"));
    (meaning.trim().to_owned(), default.to_owned())
}

/// The TOML type of a Rust type, in words.
fn toml_type(items: &[Item], kind: &str) -> String {
    let words = match kind {
        "u64" => "whole number",
        "bool" => "`true` or `false`",
        "String" => "string",
        "Vec<String>" | "Vec<Dialect>" => "list of strings",
        "Vec<u16>" => "list of whole numbers",
        _ if kind.starts_with("Vec<(String, ") => "table",
        _ if kind.starts_with("Vec<") => "list of tables",
        _ => {
            let item = items.iter().find(|item| item.name == kind);
            let item = item.unwrap_or_else(|| panic!("no words for the type {kind}"));
            match item.fields.is_empty() {
                true => &item.doc,
                false => "table",
            }
        }
    };
    words.to_owned()
}

/// The table of an item, or one for each of its groups. The type of a table
/// links to the section of the page with the field's name.
fn table(items: &[Item], item: &Item, page: &str) -> String {
    const HEAD: &str = "\n| setting | type | default | meaning |\n|---|---|---|---|\n";
    let mut text = String::new();
    for (at, field) in item.fields.iter().enumerate() {
        if let Some(group) = &field.group {
            text += &format!("\n### {group}\n");
        }
        if at == 0 || field.group.is_some() {
            text += HEAD;
        }
        let Field {
            name,
            default,
            meaning,
            ..
        } = field;
        let mut kind = toml_type(items, &field.kind);
        if page.contains(&format!("\n## `{name}`\n")) {
            kind = format!("[{kind}](#{name})");
        }
        text += &format!("| `{name}` | {kind} | {default} | {meaning} |\n");
    }
    text
}

/// Replaces the tables between the marks of a page.
fn with_tables(items: &[Item], page: &str) -> String {
    const END: &str = "<!-- end -->";
    let mut text = page.to_owned();
    for item in items {
        let start = mark(item);
        if let Some((before, rest)) = text.split_once(&start) {
            let (_, after) = rest.split_once(END).expect("the end of the table");
            let table = table(items, item, page);
            text = format!("{before}{start}{table}\n{END}{after}");
        }
    }
    text
}

/// The line before an item's table.
fn mark(item: &Item) -> String {
    format!("<!-- {} -->\n", item.name)
}

fn pages() -> Vec<String> {
    let read = |page: &&str| fs::read_to_string(file(page)).expect(page);
    PAGES.iter().map(read).collect()
}

#[test]
fn settings_pages_match_the_source() {
    let (items, pages) = (items(), pages());
    for item in items.iter().filter(|item| !item.fields.is_empty()) {
        let found = pages.iter().filter(|page| page.contains(&mark(item)));
        assert_eq!(found.count(), 1, "pages with the mark {}", mark(item));
    }
    for (name, page) in PAGES.iter().zip(pages) {
        let expected = with_tables(&items, &page);
        if std::env::var_os("UPDATE_DOCS").is_some() {
            fs::write(file(name), &expected).expect(name);
        } else {
            assert!(page == expected, "{name} is out of date; run: {UPDATE}");
        }
        let lines = expected.lines().count();
        assert!(lines <= PAGE_LINES_MAX, "{name}: {lines} lines");
    }
}

#[test]
fn examples_on_settings_pages_are_valid() {
    let mut found = 0;
    for page in pages() {
        for example in page.split("```toml\n").skip(1) {
            let example = example.split("```").next().expect("an example");
            let table: toml::Table = example.parse().expect(example);
            let settings = &table["vars"]["EDGEKEEP"];
            let json = serde_json::to_string(settings).expect(example);
            Rules::read_json(&json).expect(example);
            found += 1;
        }
    }
    assert!(found > 3, "only {found} examples found");
}

/// Settings in which only this field of an item is set, if that is possible.
fn settings(item: &str, field: &str, value: Value) -> Option<Value> {
    let section = match item {
        "Settings" => return Some(json!({ field: value })),
        "ProtectionSettings" => "protection",
        "WarmSettings" => "warm",
        "FastLaneSettings" => "fast_lane",
        "RuleSettings" => "defaults",
        _ => return None,
    };
    Some(json!({ section: { field: value } }))
}

fn number(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(['.', ',']).replace(',', "");
    digits.parse().ok()
}

/// The range in `…; 1 to 60 seconds.`
fn range(meaning: &str) -> Option<(u64, u64)> {
    meaning.split("; ").find_map(|part| {
        let (least, rest) = part.split_once(" to ")?;
        Some((number(least)?, number(rest.split(' ').next()?)?))
    })
}

#[test]
fn number_ranges_match_their_comments() {
    let mut found = 0;
    for item in items() {
        for field in item.fields.iter().filter(|field| field.kind == "u64") {
            let Some((least, most)) = range(&field.meaning) else {
                continue;
            };
            let is_valid = |value: u64| {
                let settings = settings(&item.name, &field.name, value.into());
                Rules::read_json(&settings.expect(&field.name).to_string()).is_ok()
            };
            let at = format!("{}.{}", item.name, field.name);
            assert!(is_valid(least) && is_valid(most), "{at}: {least} to {most}");
            let below = least.checked_sub(1).is_some_and(is_valid);
            assert!(!below && !is_valid(most + 1), "{at}: {least} to {most}");
            found += 1;
        }
    }
    assert!(found > 12, "only {found} ranges found");
}

#[test]
fn defaults_match_their_comments() {
    let rules = |settings: &Value| Rules::read_json(&settings.to_string());
    let unset = format!("{:?}", rules(&json!({})));
    let mut found = 0;
    for item in items() {
        for field in &item.fields {
            // Fields for which unset differs from the default: directives of the
            // origin override the first two, and the others are the source of a
            // rule.
            const EXCEPTIONS: [&str; 6] = [
                "stale_while_revalidate",
                "stale_if_error",
                "host",
                "path",
                "hashed",
                "profile",
            ];
            if EXCEPTIONS.contains(&field.name.as_str()) {
                continue;
            }
            let default = field.default.split(", as in").next().expect("a default");
            let value = match number(default) {
                Some(number) => Some(number.into()),
                None => {
                    let text = default.strip_prefix('`').and_then(|d| d.strip_suffix('`'));
                    let table = text.map(|text| format!("value = {text}"));
                    let table = table.and_then(|text| text.parse::<toml::Table>().ok());
                    table.map(|table| serde_json::to_value(&table["value"]).expect("JSON"))
                }
            };
            let settings = value.and_then(|value| settings(&item.name, &field.name, value));
            if let Some(settings) = settings {
                assert_eq!(format!("{:?}", rules(&settings)), unset, "{settings}");
                found += 1;
            }
        }
    }
    assert!(found > 30, "only {found} defaults found");
}

/// An explanation lists each setting of a rule, with its default.
#[test]
fn explanations_list_all_settings_of_a_rule() {
    let defaults: Value = serde_json::from_str(DEFAULT_SETTINGS).expect("JSON");
    let mut listed: Vec<&String> = defaults.as_object().expect("a table").keys().collect();
    let items = items();
    let rule = items.iter().find(|item| item.name == "RuleSettings");
    let fields = rule
        .expect("the rule")
        .fields
        .iter()
        .map(|field| &field.name);
    let is_scope = |name: &&String| ["host", "path", "hashed", "profile"].contains(&name.as_str());
    let mut named: Vec<&String> = fields.filter(|name| !is_scope(name)).collect();
    listed.sort();
    named.sort();
    assert_eq!(listed, named);
}

#[test]
fn requests_pass_if_one_known_field_is_invalid() {
    let items = items();
    let settings = items.iter().find(|item| item.name == "Settings");
    for Field { name, .. } in &settings.expect("the settings").fields {
        if !matches!(name.as_str(), "origin" | "origins") {
            let bad = json!({ name: { "no such field": 1 } }).to_string();
            assert!(Rules::read_json(&bad).is_err(), "{bad} is valid");
            assert!(
                Rules::passing(&bad).is_some(),
                "{bad}: requests do not pass"
            );
        }
    }
}
