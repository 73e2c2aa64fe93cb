//! Shows that the source keeps the house's shape: four floors, async code and
//! the platform only where they belong, no clock and no panic in the core,
//! files that say what they are and fit a reader's head, and no cycle of
//! modules.

use crate::module_graph::ModuleGraph;
use std::fs;
use std::path::{Path, PathBuf};

/// A source file: its path below its folder, and its text.
struct Source {
    path: String,
    text: String,
}

fn sources() -> Vec<Source> {
    below("src")
}

fn sources_and_tests() -> Vec<Source> {
    let mut all = sources();
    all.extend(below("tests"));
    all
}

fn below(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut folders = vec![root.clone()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for item in fs::read_dir(&folder).expect("a folder") {
            let path: PathBuf = item.expect("an item").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).expect("a source file");
                let path = path.strip_prefix(&root).expect("below its folder");
                let path = path.to_string_lossy().replace('\\', "/");
                found.push(Source { path, text });
            }
        }
    }
    assert!(found.len() > 30, "only {} source files found", found.len());
    found
}

/// The lines of code, numbered from 1, without comments and attributes.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().filter_map(|(at, line)| {
        let line = line.split(" //").next().unwrap_or_default();
        let start = line.trim_start();
        let told = start.is_empty() || start.starts_with("//") || start.starts_with('#');
        (!told).then_some((at + 1, line))
    })
}

/// Whether `word` stands in `line`, not as a part of a longer word.
fn has_word(line: &str, word: &str) -> bool {
    let joins = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let open = word.starts_with(joins) && before.is_some_and(joins);
        let closed = word.ends_with(joins) && after.is_some_and(joins);
        !open && !closed
    })
}

/// A line without what stands in its string literals.
fn without_strings(line: &str) -> String {
    let mut kept = String::new();
    let (mut quoted, mut before) = (false, ' ');
    for c in line.chars() {
        let quote = c == '"' && !matches!(before, '\'' | '\\');
        if quote {
            quoted = !quoted;
        }
        if !quoted || quote {
            kept.push(c);
        }
        before = if before == '\\' { ' ' } else { c };
    }
    kept
}

/// Whether code indexes a value: `[` right after a name, a call or an index.
fn indexes(line: &str) -> bool {
    let line = without_strings(line);
    line.match_indices('[').any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | ')' | ']' | '?'))
    })
}

/// Every line of code in `folder` (every file, if that is empty) that breaks a
/// rule, as `path:line: code`.
fn offences(folder: &str, breaks: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources().iter().filter(|s| s.path.starts_with(folder)) {
        for (number, line) in code(&source.text) {
            if breaks(line) {
                found.push(format!("src/{}:{number}: {}", source.path, line.trim()));
            }
        }
    }
    found
}

#[track_caller]
fn check(rule: &str, found: Vec<String>) {
    assert!(found.is_empty(), "{rule}:\n{}", found.join("\n"));
}

fn any_word(line: &str, words: &[&str]) -> bool {
    words.iter().any(|word| has_word(line, word))
}

#[test]
fn every_file_says_what_it_is() {
    let mute = |source: &Source| {
        let first = source.text.lines().next().unwrap_or_default();
        first.strip_prefix("//! ").is_none_or(|t| t.len() < 10)
    };
    let found = sources_and_tests().into_iter().filter(mute).map(|s| s.path);
    check("each file opens with //!", found.collect());
}

#[test]
fn every_file_is_under_500_lines() {
    let long = |source: &Source| source.text.lines().count() >= 500;
    let found = sources_and_tests().into_iter().filter(long).map(|s| s.path);
    check("files are under 500 lines", found.collect());
}

#[test]
fn a_floor_imports_only_those_above_it() {
    let floors: [(&str, &[&str]); 5] = [
        (
            "http/",
            &["crate::cache", "crate::flow", "crate::cloudflare"],
        ),
        ("cache/", &["crate::flow", "crate::cloudflare"]),
        ("flow/", &["crate::cloudflare"]),
        ("cloudflare/", &[]),
        (COMMAND, &["crate::cloudflare"]),
    ];
    for (floor, forbidden) in floors {
        check(floor, offences(floor, |line| any_word(line, forbidden)));
        let of_command = |line: &str| floor != COMMAND && has_word(line, "crate::cli");
        check(floor, offences(floor, of_command));
        // A way round the check above.
        let grouped = |line: &str| line.contains("crate::{") || line.contains("super::super");
        check(floor, offences(floor, grouped));
    }
}

/// The floors whose modules import each other in one direction only.
const FLOORS_WITHOUT_CYCLES: [&str; 5] = ["http", "cache", "flow", "cloudflare", "cli"];

#[test]
fn no_modules_of_a_floor_import_each_other_in_a_circle() {
    let sources = sources();
    let files = sources.iter().map(|s| (s.path.as_str(), s.text.as_str()));
    let graph = ModuleGraph::of(files);
    let cycles = FLOORS_WITHOUT_CYCLES.map(|floor| graph.cycles(floor));
    check("no cycle of modules", cycles.concat());
}

#[test]
fn no_rooms_of_a_floor_import_each_other_in_a_circle() {
    let sources = sources();
    let files = sources.iter().map(|s| (s.path.as_str(), s.text.as_str()));
    let rooms = ModuleGraph::of(files).of_rooms();
    let cycles = ["cache", "flow"].map(|floor| rooms.cycles(floor));
    check("no cycle of rooms", cycles.concat());
}

/// The cycles of a floor of these modules, `a`, `b`, and `c::d`.
#[track_caller]
fn check_cycles(modules: [&str; 3], expected: &[&str]) {
    let paths = ["flow/a.rs", "flow/b.rs", "flow/c/d.rs"];
    let files = paths.into_iter().zip(modules);
    let others = [
        (
            "flow/mod.rs",
            "pub mod a;\npub mod b;\npub mod c;\nuse a::A;",
        ),
        ("flow/c/mod.rs", "pub mod d;"),
        ("lib.rs", "pub mod flow;"),
    ];
    let found = ModuleGraph::of(files.chain(others)).cycles("flow");
    assert_eq!(found, expected, "{modules:?}");
}

#[test]
fn cycles_are_seen_however_imports_are_spelled() {
    let cycle = "  flow::a, flow::b\n    flow::a -> flow::b: B\n    flow::b -> flow::a: A";
    for a in [
        "use super::b::B;",
        "use crate::flow::b::B as Other;",
        "use super::{c, b::{\n    B, // of b\n}};",
        "use std::rc::Rc;\npub(crate) use super::b::{B};",
        "use super::b;\nfn f(x: &b::B) {}",
        "use super::b::{self as other};\nfn f() -> other::B { b }",
        "use super::{self as floor};\nfn f(x: floor::b::B) {}",
        "fn f<'a>(x: &'a str, c: char) -> super::b::B { if c == '\"' { x } }",
        "fn f() { g::<crate::flow::b::B>('\\''); }",
        "mod tests {}\nfn f() { const U: u8 = self::super::b::B; }",
    ] {
        check_cycles([a, "use super::a::A;", ""], &[cycle]);
    }
    let two_items = "  flow::a, flow::b\n    flow::a -> flow::b: B, f\n    flow::b -> flow::a: A";
    let a = "use super::b::{self, B};\nfn g() { b::f(); }";
    check_cycles([a, "use super::a::A;", ""], &[two_items]);
    let three = "  flow::a, flow::b, flow::c::d\n    flow::a -> flow::b: B\n    \
        flow::b -> flow::c::d: D\n    flow::c::d -> flow::a: A";
    let d = "use super::super::a::A;";
    check_cycles(["use super::b::B;", "use super::c::d::D;", d], &[three]);
    let parent = "  flow, flow::a\n    flow -> flow::a: A\n    flow::a -> flow: F";
    check_cycles(["use super::F;", "", ""], &[parent]);
    let all = "  flow, flow::a, flow::b\n    flow -> flow::a: A\n    flow::a -> flow: *\n    \
        flow::a -> flow::b: B\n    flow::b -> flow::a: A";
    let a = "use super::*;\nfn f(x: b::B) {}";
    check_cycles([a, "use super::a::A;", ""], &[all]);
}

#[test]
fn what_is_no_import_makes_no_cycle() {
    for a in [
        "// use super::b::B;",
        "//! [`B`](super::b::B)",
        "const T: &str = \"\n    use super::b::B; \\\"super::b::B\";",
        "use std::b::B;",
        "struct S { b: B }\nfn f(s: S) { s.b.g(); other::b::B }",
        "use super::c::d::b;",
        "use super::a::b;",
    ] {
        check_cycles([a, "use super::a::A;", ""], &[]);
    }
    check_cycles(["use super::b::B;", "use super::c::d::D;", ""], &[]);
}

#[test]
fn only_the_floor_of_the_platform_knows_the_platform() {
    const CRATES: [&str; 5] = [
        "worker::",
        "js_sys",
        "wasm_bindgen",
        "wasm_bindgen_futures",
        "web_sys",
    ];
    for floor in ["http/", "cache/", "flow/", COMMAND, "bin/", "lib.rs"] {
        check(floor, offences(floor, |line| any_word(line, &CRATES)));
    }
    // Natively they do not even exist.
    let cargo = include_str!("../../../Cargo.toml");
    let cargo: toml::Table = cargo.parse().expect("Cargo.toml");
    let everywhere = cargo["dependencies"].as_table().expect("a table");
    for name in [
        "worker",
        "js-sys",
        "wasm-bindgen",
        "console_error_panic_hook",
    ] {
        assert!(!everywhere.contains_key(name), "{name} is wasm32's only");
    }
}

/// See `src/cloudflare/js/README.md`.
#[test]
fn only_the_hand_made_part_calls_javascript_by_name() {
    const CALLS: [&str; 6] = [
        "extern \"C\"",
        "Reflect",
        "Function",
        "Closure",
        "call0",
        "js_name",
    ];
    let mut found = offences("cloudflare/", |line| any_word(line, &CALLS));
    found.retain(|offence| !offence.starts_with("src/cloudflare/js/"));
    check("JavaScript is called from cloudflare/js alone", found);
    assert!(!offences("cloudflare/js/", |line| any_word(line, &CALLS)).is_empty());
}

#[test]
fn async_code_stands_in_flow_and_cloudflare_only() {
    for floor in ["http/", "cache/", COMMAND, "bin/", "lib.rs"] {
        let waits = |line: &str| any_word(line, &["async", ".await", "Future"]);
        check(floor, offences(floor, waits));
    }
}

#[test]
fn only_the_platform_has_a_clock() {
    for floor in ["http/", "cache/", "flow/", "lib.rs"] {
        let clock = |line: &str| any_word(line, &["SystemTime", "Instant", "Date::now"]);
        check(floor, offences(floor, clock));
    }
}

/// The command `edgekeep` stands beside the floors: it may use all but the
/// platform, and no floor uses it.
const COMMAND: &str = "cli/";

/// What the command reads of its computer. One file does it, so that the rest
/// can be tested with values.
#[test]
fn one_file_of_the_command_reads_clock_files_and_environment() {
    const READS: [&str; 7] = [
        "SystemTime",
        "Instant",
        "getrandom::",
        "std::env",
        "std::fs",
        "stdin()",
        "thread::sleep",
    ];
    let mut found = offences(COMMAND, |line| any_word(line, &READS));
    found.retain(|offence| !offence.starts_with("src/cli/system.rs"));
    check("the computer is read in cli/system.rs alone", found);
    assert!(!offences("cli/system.rs", |line| any_word(line, &READS)).is_empty());
}

/// The Worker is built without features. So it has nothing of the command if
/// all crates of the command are optional, and its module needs the feature.
#[test]
fn worker_has_nothing_of_the_command() {
    let cargo = include_str!("../../../Cargo.toml");
    let cargo: toml::Table = cargo.parse().expect("Cargo.toml");
    let features = cargo["features"].as_table().expect("a table");
    let names: Vec<_> = features.keys().map(String::as_str).collect();
    assert_eq!(names, ["cli"], "no default feature, and no other");
    let listed = features["cli"].as_array().expect("a list");
    let listed: Vec<_> = listed
        .iter()
        .map(|name| name.as_str().and_then(|name| name.strip_prefix("dep:")))
        .collect();
    let dependencies = cargo["dependencies"].as_table().expect("a table");
    let is_optional = |value: &toml::Value| value.get("optional").is_some();
    let optional = dependencies.iter().filter(|(_, value)| is_optional(value));
    let optional: Vec<_> = optional.map(|(name, _)| Some(name.as_str())).collect();
    assert_eq!(listed, optional, "the feature has all optional crates");
    for (name, value) in dependencies {
        let path = format!("{}::", name.replace('-', "_"));
        let mut found = offences("", |line| has_word(line, &path));
        assert!(!found.is_empty(), "nothing uses {name}");
        found.retain(|offence| !offence.starts_with("src/cli/"));
        match is_optional(value) {
            true => check("only the command uses its crates", found),
            false => assert!(!found.is_empty(), "only the command uses {name}"),
        }
    }
    let lib = include_str!("../../../src/lib.rs");
    const GUARD: &str = "#[cfg(all(feature = \"cli\", not(target_arch = \"wasm32\")))]";
    assert!(lib.contains(&format!("{GUARD}\npub mod cli;\n")));
    let bins = cargo["bin"].as_array().expect("the binaries");
    let [bin] = bins.as_slice() else {
        panic!("one binary, not {}", bins.len());
    };
    assert_eq!(bin["path"].as_str(), Some("src/bin/edgekeep.rs"));
    assert_eq!(bin["required-features"].as_array().map(Vec::len), Some(1));
    let programs = sources().into_iter().filter(|s| s.path.starts_with("bin/"));
    let programs: Vec<_> = programs.map(|s| s.path).collect();
    assert_eq!(programs, ["bin/edgekeep.rs"]);
}

#[test]
fn nothing_panics_on_purpose() {
    const PANICS: [&str; 8] = [
        ".unwrap()",
        ".expect(",
        ".unwrap_err()",
        "panic!",
        "unreachable!",
        "todo!",
        "unimplemented!",
        "assert!",
    ];
    let panics = |line: &str| any_word(line, &PANICS);
    check("no panic", offences("", panics));
}

#[test]
fn nothing_is_indexed() {
    // Cannot fail: sixteen digits, four bits.
    const SAFE: &str = "HEX[usize::from(nibble & 15)]";
    let indexed = |line: &str| indexes(&line.replace(SAFE, ""));
    check("get, not [..]", offences("", indexed));
}

/// A file that no test binary names would not run, and nobody would see it.
#[test]
fn every_test_file_is_part_of_a_binary() {
    let cargo = include_str!("../../../Cargo.toml");
    let cargo: toml::Table = cargo.parse().expect("Cargo.toml");
    let tests = cargo["test"].as_array().expect("the tests");
    let paths: Vec<_> = tests.iter().filter_map(|t| t["path"].as_str()).collect();
    let files = below("tests");
    let is_named = |source: &Source| {
        let Some((subject, file)) = source
            .path
            .strip_prefix("it/")
            .and_then(|p| p.split_once('/'))
        else {
            return source.path.contains('/');
        };
        let main = format!("it/{subject}/main.rs");
        let name = file.trim_end_matches(".rs");
        let line = format!("mod {name};");
        match files.iter().find(|other| other.path == main) {
            Some(_) if name == "main" => paths.contains(&format!("tests/{main}").as_str()),
            Some(main) => main.text.lines().any(|other| other == line),
            None => false,
        }
    };
    let unnamed = files.iter().filter(|file| !is_named(file));
    let unnamed = unnamed.map(|file| file.path.clone()).collect();
    check("Cargo.toml and main.rs name each test file", unnamed);
}

/// The packages that the project's user asked for.
#[test]
fn the_named_packages_are_used() {
    // Each with a word of the code that uses it.
    const NAMED: [(&str, &str); 5] = [
        ("worker", "use worker::"),
        ("wasm-bindgen", "wasm_bindgen::"),
        ("serde", "serde::"),
        ("js-sys", "js_sys::"),
        ("console_error_panic_hook", "console_error_panic_hook::"),
    ];
    let cargo = include_str!("../../../Cargo.toml");
    let cargo: toml::Table = cargo.parse().expect("Cargo.toml");
    let wasm = &cargo["target"]["cfg(target_arch = \"wasm32\")"]["dependencies"];
    for (name, word) in NAMED {
        let listed = cargo["dependencies"].get(name).or(wasm.get(name));
        assert!(listed.is_some(), "Cargo.toml does not list {name}");
        let used = offences("", |line| has_word(line, word));
        assert!(!used.is_empty(), "nothing uses {name}");
    }
}

#[test]
fn the_checks_above_see_what_they_look_for() {
    let seen = [
        ("    let a = b.unwrap();", ".unwrap()"),
        ("use worker::Env;", "worker::"),
        ("        one().await;", ".await"),
        ("use crate::flow::host::Host;", "crate::flow"),
        ("    panic!(\"no\")", "panic!"),
    ];
    for (line, word) in seen {
        assert!(has_word(line, word), "{line}");
        assert_eq!(code(line).count(), 1, "{line}");
    }
    for (line, word) in [
        ("a.unwrap_or(0)", ".unwrap()"),
        ("let r = webworker::a;", "worker::"),
        ("crate::flows", "crate::flow"),
        ("InstantNoodles", "Instant"),
    ] {
        assert!(!has_word(line, word), "{line}");
    }
    for line in ["// panic!", "    /// panic!", "#[allow(x)]", "", "  "] {
        assert_eq!(code(line).count(), 0, "{line}");
    }
    for line in ["a[0]", "f(x)[1]", "a.b[i]", "text[..n]", "a[0][1]", "x_[y]"] {
        assert!(indexes(line), "{line}");
    }
    for line in [
        "[0; 3]",
        "&[a]",
        "vec![1]",
        "let [a, b] = c",
        "&mut [u8]",
        "in [1, 2]",
        "format!(\"a[{b}]\")",
    ] {
        assert!(!indexes(line), "{line}");
    }
}
