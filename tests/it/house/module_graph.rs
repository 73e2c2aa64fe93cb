//! Builds the import graph of the source modules from `use` lines and paths in
//! the code, and finds its cycles.
//!
//! Calls of methods are not part of the graph: the calling module does not name
//! the module that implements them. The imports of their types are.

use std::collections::{BTreeMap, BTreeSet};

/// The module of the crate itself (`lib.rs`).
const ROOT: &str = "";

/// The items that each module imports, by the module that defines them.
#[derive(Default)]
pub struct ModuleGraph(BTreeMap<String, BTreeMap<String, BTreeSet<String>>>);

impl ModuleGraph {
    /// The graph of these files, each by its path below `src/` and its text.
    pub fn of<'a>(files: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let files: Vec<_> = files
            .map(|(path, text)| (module_of(path), tokens(text)))
            .collect();
        let known: BTreeSet<_> = files.iter().map(|(module, _)| module.clone()).collect();
        let mut graph = Self::default();
        for (module, tokens) in &files {
            let mut names = ModuleNames::of(module, &known);
            for (target, item) in names.read(tokens) {
                if target == *module {
                    continue;
                }
                let edges = graph.0.entry(module.clone()).or_default();
                edges.entry(target).or_default().insert(item);
            }
        }
        graph
    }

    /// The graph of rooms: a module in a folder of a floor counts as that folder.
    pub fn of_rooms(&self) -> Self {
        let room = |module: &str| {
            module
                .splitn(3, "::")
                .take(2)
                .collect::<Vec<_>>()
                .join("::")
        };
        let mut rooms: BTreeMap<String, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
        for (module, edges) in &self.0 {
            let edges_of = rooms.entry(room(module)).or_default();
            for (target, items) in edges {
                if room(target) != room(module) {
                    let kept = edges_of.entry(room(target)).or_default();
                    kept.extend(items.iter().cloned());
                }
            }
        }
        Self(rooms)
    }

    /// Each cycle of modules in a floor: a line for each import, with its items.
    pub fn cycles(&self, floor: &str) -> Vec<String> {
        let mut cycles = Vec::new();
        let mut seen = BTreeSet::new();
        for module in self.0.keys().filter(|module| is_below(module, floor)) {
            let reachable = self.reachable(module, floor);
            let mutual = |other: &&String| self.reachable(other, floor).contains(module);
            let cycle: BTreeSet<_> = reachable.iter().filter(mutual).cloned().collect();
            if !cycle.is_empty() && seen.insert(cycle.clone()) {
                cycles.push(self.describe_cycle(&cycle));
            }
        }
        cycles
    }

    /// All modules of a floor that a module imports, directly or indirectly.
    fn reachable(&self, from: &str, floor: &str) -> BTreeSet<String> {
        let mut reachable = BTreeSet::new();
        let mut next = vec![from];
        while let Some(module) = next.pop() {
            let targets = self.0.get(module).into_iter().flat_map(BTreeMap::keys);
            for target in targets.filter(|target| is_below(target, floor)) {
                if reachable.insert(target.clone()) {
                    next.push(target);
                }
            }
        }
        reachable
    }

    fn describe_cycle(&self, cycle: &BTreeSet<String>) -> String {
        let mut lines = Vec::new();
        for (module, edges) in self.0.iter().filter(|(module, _)| cycle.contains(*module)) {
            for (target, items) in edges.iter().filter(|(target, _)| cycle.contains(*target)) {
                let items: Vec<_> = items.iter().map(String::as_str).collect();
                let items = items.join(", ");
                lines.push(format!("    {module} -> {target}: {items}"));
            }
        }
        let modules: Vec<_> = cycle.iter().map(String::as_str).collect();
        format!("  {}\n{}", modules.join(", "), lines.join("\n"))
    }
}

fn is_below(module: &str, floor: &str) -> bool {
    module
        .strip_prefix(floor)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// `flow/store/lookup.rs` is `flow::store::lookup`, `flow/mod.rs` is `flow`.
fn module_of(path: &str) -> String {
    let module = path.trim_end_matches(".rs").replace('/', "::");
    match module.as_str() {
        "lib" => ROOT.to_owned(),
        module => module.trim_end_matches("::mod").to_owned(),
    }
}

fn parent_of(module: &str) -> &str {
    module.rsplit_once("::").map_or(ROOT, |(parent, _)| parent)
}

fn child_of(module: &str, name: &str) -> String {
    match module {
        ROOT => name.to_owned(),
        module => format!("{module}::{name}"),
    }
}

/// Resolves the names in one module.
struct ModuleNames<'a> {
    module: &'a str,
    /// All modules of the crate.
    known: &'a BTreeSet<String>,
    /// The modules in scope, by their names of one word.
    modules: BTreeMap<String, String>,
}

/// A module, and an item of it.
type Import = (String, String);

impl<'a> ModuleNames<'a> {
    fn of(module: &'a str, known: &'a BTreeSet<String>) -> Self {
        let mut names = Self {
            module,
            known,
            modules: BTreeMap::new(),
        };
        names.add_children(module);
        names
    }

    fn add_children(&mut self, module: &str) {
        let is_child = |child: &&String| **child != ROOT && parent_of(child) == module;
        for child in self.known.iter().filter(is_child) {
            let name = child.rsplit("::").next().unwrap_or_default();
            self.modules.insert(name.to_owned(), child.clone());
        }
    }

    /// All items that a file imports from modules of the crate.
    fn read(&mut self, tokens: &[String]) -> Vec<Import> {
        let mut imports = Vec::new();
        let mut code = Vec::new();
        // First the `use` lines, in any position.
        let mut rest = tokens.iter();
        while let Some(token) = rest.next() {
            if token != "use" {
                code.push(token.as_str());
                continue;
            }
            let tree: Vec<&str> = rest
                .by_ref()
                .map(String::as_str)
                .take_while(|token| *token != ";")
                .collect();
            for (path, alias) in flatten_use_tree(&[], &mut tree.into_iter().peekable()) {
                imports.extend(self.import(&path, alias));
            }
        }
        // Then the paths in the code.
        let mut at = 0;
        while at < code.len() {
            let is_start = is_word(code[at]) && (at == 0 || !matches!(code[at - 1], "::" | "."));
            let mut path = vec![code[at]];
            at += 1;
            while is_start && code.get(at) == Some(&"::") {
                match code.get(at + 1) {
                    Some(word) if is_word(word) => path.push(word),
                    _ => break,
                }
                at += 2;
            }
            if is_start && path.len() > 1 {
                let found = self.resolve(&path);
                imports.extend(found.and_then(|(module, item)| Some((module, item?))));
            }
        }
        imports
    }

    /// Resolves a path of a `use` line. An imported module is added to the scope,
    /// and its items are found by the paths in the code.
    fn import(&mut self, path: &[&str], alias: Option<&str>) -> Option<Import> {
        let (module, item) = self.resolve(path)?;
        let Some(item) = item else {
            let name = alias.or(path.last().copied())?;
            self.modules.insert(name.to_owned(), module);
            return None;
        };
        if item == "*" {
            self.add_children(&module);
        }
        Some((module, item))
    }

    /// The longest part of a path that is a module, and what follows it.
    fn resolve(&self, path: &[&str]) -> Option<(String, Option<String>)> {
        let (first, mut rest) = path.split_first()?;
        let mut module = match *first {
            "crate" => ROOT.to_owned(),
            "self" => self.module.to_owned(),
            "super" => parent_of(self.module).to_owned(),
            name => self.modules.get(name)?.clone(),
        };
        while let Some((name, after)) = rest.split_first() {
            let next = match *name {
                "super" => parent_of(&module).to_owned(),
                name => child_of(&module, name),
            };
            if !self.known.contains(&next) {
                break;
            }
            (module, rest) = (next, after);
        }
        let item = rest.first().filter(|name| **name != "self");
        Some((module, item.map(|name| (*name).to_owned())))
    }
}

/// The paths of a `use` tree, each with its alias.
fn flatten_use_tree<'a>(
    before: &[&'a str],
    tree: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>,
) -> Vec<(Vec<&'a str>, Option<&'a str>)> {
    let mut paths = Vec::new();
    let mut path = before.to_vec();
    let mut alias = None;
    let mut is_group = false;
    while let Some(token) = tree.next() {
        match token {
            "{" => {
                paths.extend(flatten_use_tree(&path, tree));
                is_group = true;
            }
            "," | "}" => {
                if !is_group && path.len() > before.len() {
                    paths.push((path, alias));
                }
                if token == "}" {
                    return paths;
                }
                (path, alias, is_group) = (before.to_vec(), None, false);
            }
            "as" => alias = tree.next(),
            "::" => {}
            // `a::{self}` is `a`.
            "self" if !before.is_empty() => {
                paths.push((
                    path.clone(),
                    tree.next_if_eq(&"as").and_then(|_| tree.next()),
                ));
                is_group = true;
            }
            word => path.push(word),
        }
    }
    if !is_group && path.len() > before.len() {
        paths.push((path, alias));
    }
    paths
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// The words and signs of a file, without comments, strings, characters and
/// lifetimes.
fn tokens(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let word = |c: char| c.is_alphanumeric() || c == '_';
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if first == '"' {
            string_length(rest)
        } else if first == '\'' {
            character_length(rest)
        } else if word(first) {
            let length = rest.find(|c: char| !word(c)).unwrap_or(rest.len());
            found.push(rest[..length].to_owned());
            length
        } else {
            let length = if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            if !first.is_whitespace() {
                found.push(rest[..length].to_owned());
            }
            length
        };
        rest = &rest[length..];
    }
    found
}

fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            _ => escaped = c == '\\' && !escaped,
        }
    }
    text.len()
}

/// The length of a character, or of the quote of a lifetime.
fn character_length(text: &str) -> usize {
    let mut inner = text.chars().skip(1);
    match (inner.next(), inner.next()) {
        (Some('\\'), _) => text[3..].find('\'').map_or(1, |at| at + 4),
        (Some(c), Some('\'')) => c.len_utf8() + 2,
        _ => 1,
    }
}
