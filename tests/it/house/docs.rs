//! Checks the documents: links and their anchors, commands, paths and settings
//! that they contain, and their length.

use edgekeep::cache::config::rules::Rules;
use serde_json::Value;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// Lines of `README.md`, and of a page below `docs`.
const LINES_MAX: usize = 250;

/// Names in examples that the reader replaces.
const PLACEHOLDERS: [&str; 6] = ["NAME", "SUBJECT", "FILE", "FOLDER", "…", "*"];

/// A document, by its path below the project's folder.
struct Page {
    path: String,
    text: String,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every Markdown file of the project, in order of their paths.
fn pages() -> Vec<Page> {
    const SKIPPED: [&str; 5] = ["node_modules", "target", "build", ".venv", ".git"];
    let mut folders = vec![root()];
    let mut pages = Vec::new();
    while let Some(folder) = folders.pop() {
        for item in fs::read_dir(&folder).expect("a folder") {
            let path = item.expect("an item").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if path.is_dir() && !name.starts_with('.') && !SKIPPED.contains(&name.as_ref()) {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "md") {
                pages.push(Page {
                    path: below_root(&path),
                    text: fs::read_to_string(&path).expect("a page"),
                });
            }
        }
    }
    pages.sort_by(|one, other| one.path.cmp(&other.path));
    assert!(pages.len() > 25, "only {} pages found", pages.len());
    pages
}

fn below_root(path: &Path) -> String {
    let path = path.strip_prefix(root()).expect("below the root");
    path.to_string_lossy().replace('\\', "/")
}

/// The lines of a text outside its blocks of code, and those inside.
fn prose_and_code(text: &str) -> (Vec<&str>, Vec<&str>) {
    let mut inside = false;
    let (mut prose, mut code) = (Vec::new(), Vec::new());
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
            prose.push("");
        } else if inside {
            code.push(line);
        } else {
            prose.push(line);
        }
    }
    (prose, code)
}

/// The paragraphs outside blocks of code. Each row of a table is a paragraph.
fn paragraphs(text: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    for line in prose_and_code(text).0 {
        if line.is_empty() || line.starts_with('|') {
            found.push(String::new());
        }
        if let Some(last) = found.last_mut() {
            *last += line;
            last.push(' ');
        }
    }
    found
}

/// The spans of code in a text, without their backticks.
fn spans(text: &str) -> Vec<String> {
    let spans = |text: &String| {
        let pieces = text.split('`').skip(1).step_by(2);
        pieces.map(str::to_owned).collect::<Vec<_>>()
    };
    paragraphs(text).iter().flat_map(spans).collect()
}

/// The targets of the links in a text, `[…](target)`, outside code spans.
fn links(text: &str) -> Vec<String> {
    let links = |text: &String| {
        let prose: String = text.split('`').step_by(2).collect();
        let targets = prose.split("](").skip(1);
        let target = |rest: &str| rest.split(')').next().unwrap_or_default().to_owned();
        targets.map(target).collect::<Vec<_>>()
    };
    paragraphs(text).iter().flat_map(links).collect()
}

/// The anchors of a page, as GitHub derives them from its headings: lower case,
/// `-` for spaces, and otherwise only letters, digits and `_`.
fn anchors(text: &str) -> Vec<String> {
    let (prose, _) = prose_and_code(text);
    let headings = prose.into_iter().filter(|line| line.starts_with('#'));
    let mut found: Vec<String> = Vec::new();
    for heading in headings {
        let words = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
        let anchor: String = words.chars().filter(|c| kept(*c)).collect();
        let anchor = anchor.replace(' ', "-");
        let same = found.iter().filter(|other| **other == anchor).count();
        found.push(match same {
            0 => anchor,
            _ => format!("{anchor}-{same}"),
        });
    }
    found
}

/// The path of a link's target, below the project's folder.
fn resolve_target(page: &str, target: &str) -> PathBuf {
    let folder = Path::new(page).parent().unwrap_or(Path::new(""));
    let mut path = PathBuf::new();
    for part in folder.join(target).components() {
        match part {
            Component::ParentDir => assert!(path.pop(), "{page}: {target} is outside the project"),
            Component::Normal(name) => path.push(name),
            _ => {}
        }
    }
    path
}

/// The fault of a link, if it has one.
fn link_fault(pages: &[Page], page: &Page, link: &str) -> Option<String> {
    if link.starts_with("https://") || link.starts_with("mailto:") {
        return None;
    }
    let (target, anchor) = link.split_once('#').unwrap_or((link, ""));
    let path = match target {
        "" => PathBuf::from(&page.path),
        _ => resolve_target(&page.path, target),
    };
    if !root().join(&path).exists() {
        return Some(format!("{}: {link}: no such file", page.path));
    }
    if anchor.is_empty() {
        return None;
    }
    let found = pages.iter().find(|other| Path::new(&other.path) == path);
    match found {
        Some(other) if anchors(&other.text).iter().any(|a| a == anchor) => None,
        _ => Some(format!("{}: {link}: no such heading", page.path)),
    }
}

#[track_caller]
fn check(rule: &str, faults: Vec<String>) {
    assert!(faults.is_empty(), "{rule}:\n{}", faults.join("\n"));
}

#[test]
fn links_and_anchors_exist() {
    let pages = pages();
    let mut faults = Vec::new();
    let mut count = 0;
    for page in &pages {
        for link in links(&page.text) {
            count += 1;
            faults.extend(link_fault(&pages, page, &link));
        }
    }
    check("links and anchors exist", faults);
    assert!(count > 200, "only {count} links found");
}

#[test]
fn link_check_finds_broken_links() {
    let page = |path: &str, text: &str| Page {
        path: path.to_owned(),
        text: text.to_owned(),
    };
    let pages = [
        page(
            "README.md",
            "# One\n```\n# no heading\n```\n## The `two`, twice!",
        ),
        page("docs/deploy.md", "[`a`](../README.md) `[b]\n(c)`"),
    ];
    assert_eq!(links(&pages[1].text), ["../README.md"]);
    assert_eq!(anchors(&pages[0].text), ["one", "the-two-twice"]);
    for (link, good) in [
        ("../README.md", true),
        ("../README.md#one", true),
        ("../README.md#the-two-twice", true),
        ("../README.md#no-heading", false),
        ("README.md", true), // docs/README.md
        ("no-such.md", false),
        ("#one", false),
        ("../src", true),
        ("https://example.com/#x", true),
    ] {
        assert_eq!(
            link_fault(&pages, &pages[1], link).is_none(),
            good,
            "{link}"
        );
    }
}

/// Every command in a text: lines of blocks of code, and spans.
fn commands(text: &str) -> Vec<String> {
    let lines = prose_and_code(text).1.into_iter().map(str::to_owned);
    lines.chain(spans(text)).collect()
}

fn is_placeholder(name: &str) -> bool {
    PLACEHOLDERS.iter().any(|other| name.contains(other))
}

/// The word after each `start` in a command.
fn words_after<'a>(command: &'a str, start: &'a str) -> impl Iterator<Item = &'a str> {
    let rests = command.match_indices(start);
    rests.filter_map(move |(at, _)| {
        let rest = &command[at + start.len()..];
        rest.split([' ', ';', ',', ')', '`', '&']).next()
    })
}

#[test]
fn commands_in_pages_exist() {
    let package = fs::read_to_string(root().join("package.json")).expect("package.json");
    let package: Value = serde_json::from_str(&package).expect("package.json");
    let cargo = fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml");
    let cargo: toml::Table = cargo.parse().expect("Cargo.toml");
    let tests = cargo["test"].as_array().expect("the tests");
    let bench = fs::read_to_string(root().join("tests/bench/Cargo.toml")).expect("the benches");
    let bench: toml::Table = bench.parse().expect("Cargo.toml");
    let benches = bench["bench"].as_array().expect("the benches");
    let is_script = |name: &str| package["scripts"][name].is_string();
    let has_name = |target: &toml::Value, name: &str| target["name"].as_str() == Some(name);
    let is_test = |name: &str| tests.iter().any(|target| has_name(target, name));
    let is_bench = |name: &str| benches.iter().any(|target| has_name(target, name));
    let is_file = |name: &str| root().join(name).exists();
    type Exists<'a> = &'a dyn Fn(&str) -> bool;
    let kinds: [(&str, Exists); 4] = [
        ("npm run ", &is_script),
        ("cargo test --test ", &is_test),
        ("cargo bench -p edgekeep-bench --bench ", &is_bench),
        ("node --test ", &is_file),
    ];
    assert!(is_script("start") && is_script("test"));
    let mut faults = Vec::new();
    let mut count = 0;
    for page in pages() {
        for command in commands(&page.text) {
            for (start, exists) in kinds {
                for word in words_after(&command, start).filter(|word| !is_placeholder(word)) {
                    count += 1;
                    if !exists(word) {
                        faults.push(format!("{}: {start}{word}", page.path));
                    }
                }
            }
        }
    }
    check("commands exist", faults);
    assert!(count > 60, "only {count} commands found");
}

#[test]
fn paths_in_code_spans_exist() {
    const FOLDERS: [&str; 6] = [
        "src/",
        "tests/",
        "scripts/",
        "docs/",
        "examples/",
        "clients/",
    ];
    let mut faults = Vec::new();
    let mut count = 0;
    for page in pages() {
        for span in spans(&page.text) {
            let is_path = FOLDERS.iter().any(|folder| span.starts_with(folder));
            if !is_path || span.contains(' ') || is_placeholder(&span) {
                continue;
            }
            count += 1;
            let beside = Path::new(&page.path).parent().unwrap_or(Path::new(""));
            if !root().join(&span).exists() && !root().join(beside).join(&span).exists() {
                faults.push(format!("{}: {span}", page.path));
            }
        }
    }
    check("paths exist", faults);
    assert!(count > 20, "only {count} paths found");
}

#[test]
fn docs_index_links_every_page() {
    let pages = pages();
    let index = pages.iter().find(|page| page.path == "docs/README.md");
    let links = links(&index.expect("docs/README.md").text);
    let is_missing = |path: &&str| {
        let name = path.strip_prefix("docs/").unwrap_or("README.md");
        !name.contains('/') && name != "README.md" && !links.iter().any(|link| link == name)
    };
    let missing = pages.iter().map(|page| page.path.as_str());
    let missing = missing.filter(is_missing).map(str::to_owned);
    check("docs/README.md names each page", missing.collect());
}

#[test]
fn development_map_names_every_test_file() {
    let map = fs::read_to_string(root().join("docs/development.md")).expect("the map");
    let names = spans(&map);
    let mut missing = Vec::new();
    let subjects = fs::read_dir(root().join("tests/it")).expect("the subjects");
    let subjects = subjects.map(|item| below_root(&item.expect("an item").path()));
    let mut folders: Vec<(String, &str)> = subjects.map(|folder| (folder, ".rs")).collect();
    folders.push(("tests/workerd".to_owned(), ".test.mjs"));
    for (folder, end) in folders {
        for item in fs::read_dir(root().join(&folder)).expect("a folder") {
            let file = item.expect("an item").file_name();
            let file = file.to_string_lossy();
            if let Some(name) = file.strip_suffix(end).filter(|name| *name != "main") {
                let whole = format!("{folder}/{file}");
                if !names.iter().any(|n| *n == name || *n == whole) {
                    missing.push(whole);
                }
            }
        }
    }
    missing.sort();
    check("docs/development.md, the map, names each test", missing);
}

#[test]
fn settings_in_examples_are_valid() {
    let mut count = 0;
    for page in pages() {
        for block in page.text.split("```toml\n").skip(1) {
            let block = block.split("```").next().expect("a block");
            let table: toml::Table = block
                .parse()
                .unwrap_or_else(|error| panic!("{}: {error}\n{block}", page.path));
            let Some(settings) = table.get("vars").and_then(|vars| vars.get("EDGEKEEP")) else {
                continue;
            };
            let json = serde_json::to_string(settings).expect("JSON");
            if let Err(error) = Rules::read_json(&json) {
                panic!("{}: {error}\n{block}", page.path);
            }
            count += 1;
        }
    }
    assert!(count > 12, "only {count} examples found");
}

#[test]
fn pages_have_at_most_250_lines() {
    let is_long = |page: &Page| {
        let counts = page.path == "README.md" || page.path.starts_with("docs/");
        counts && page.text.lines().count() > LINES_MAX
    };
    let long = pages().into_iter().filter(is_long);
    let long = long.map(|page| format!("{}: {} lines", page.path, page.text.lines().count()));
    check("pages have at most 250 lines", long.collect());
}
