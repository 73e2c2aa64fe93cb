//! Tests of Varnish clients' purge calls: every known form purges what it
//! means, or more, or is refused with advice.

use edgekeep::cache::config::rules::Rules;
use edgekeep::cache::key::cache_key;
use edgekeep::cache::purge::pattern::{PATTERN_BYTES_MAX, PatternError, expand};
use edgekeep::cache::purge::purge_call::call;
use serde_json::json;
use testkit::requests;

/// The selectors of a call on `a.test`: hard, then soft after ` / `, or the
/// invalid field after `! `; `-` is not a call.
#[track_caller]
fn describe_call(request: &str) -> String {
    let settings = json!({ "defaults": { "purge_dialects": ["varnish"] } });
    let rules = Rules::read_json(&settings.to_string()).expect("good settings");
    let (first, fields) = request.split_once(" | ").unwrap_or((request, ""));
    let (method, target) = first.split_once(' ').expect("a method and a target");
    let bar = if fields.is_empty() { "" } else { " | " };
    let head = requests::head(&format!("{method} http://a.test{target}{bar}{fields}"));
    let url = cache_key::canonical_path(&head.url);
    let Some(call) = call(&rules.rule_for(&url), &head, &url) else {
        return "-".to_owned();
    };
    let draft = match call.parse(&rules, &head.fields, b"") {
        Ok(draft) => draft,
        Err(problem) => return format!("! {problem}"),
    };
    if let Some((field, hint)) = draft.refused.first() {
        assert!(hint.len() > 20, "{hint}");
        return format!("! {field}");
    }
    if let Err(problem) = draft.check_size() {
        return format!("! {problem}");
    }
    let resolved = draft.resolve(&rules.cascades).expect("not too much");
    let soft = match resolved.soft.is_empty() {
        true => String::new(),
        false => format!(" / {}", resolved.soft.join(" ")),
    };
    format!("{}{soft}", resolved.hard.join(" "))
}

#[track_caller]
fn check(request: &str, expected: &str) {
    assert_eq!(describe_call(request), expected, "{request}");
}

#[test]
fn urls_by_purge_method() {
    // WordPress: Proxy Cache Purge, WP Rocket, Varnish Caching.
    for field in ["X-Purge-Method", "X-VC-Purge-Method", "x-vc-purge-method"] {
        for word in ["regex", "Regex", " REGEX "] {
            check(&format!("PURGE /.* | {field}: {word}"), "prefix:a.test");
        }
        check(
            &format!("PURGE /blog/.* | {field}: regex"),
            "prefix:a.test/blog",
        );
        check(&format!("PURGE /blog.* | {field}: regex"), "! url");
        check(&format!("PURGE /blog | {field}: exact"), "url:a.test/blog");
        check(
            &format!("PURGE /b?x=1 | {field}: exact"),
            "url:a.test/b?x=1",
        );
        check(
            &format!("PURGE /blog | {field}: default"),
            "path:a.test/blog",
        );
        check(&format!("PURGE /b?x=1 | {field}: default"), "path:a.test/b");
        for word in ["exact", "default"] {
            check(&format!("PURGE /.* | {field}: {word}"), "! url");
        }
        for unknown in ["soft", "wildcard", "regex, exact"] {
            let field_name = field.to_ascii_lowercase();
            check(
                &format!("PURGE /b | {field}: {unknown}"),
                &format!("! {field_name}"),
            );
        }
    }
    check("PURGE /b | X-Purge-Method: ", "url:a.test/b");
    check(
        "PURGE /.* | X-Purge-Method: regex | X-VC-Purge-Method: regex",
        "prefix:a.test",
    );
    check(
        "PURGE /.* | X-Purge-Method: regex | X-VC-Purge-Method: exact",
        "! x-vc-purge-method",
    );
    // Without the method field, the URL decides whether it is a pattern.
    check("PURGE /", "url:a.test/");
    check("PURGE /b?x=.*", "url:a.test/b?x=.*");
    for whole in ["/.*", "/*", "/(.*)", "/.+", "/.*$"] {
        check(&format!("PURGE {whole}"), "prefix:a.test");
        check(&format!("BAN {whole}"), "prefix:a.test");
    }
    for below in ["/b/.*", "/b/*", "/b/(.*)", "/b/.+"] {
        check(&format!("PURGE {below}"), "prefix:a.test/b");
    }
    for unknown in ["/b.*", "/*.css", "/b*", "/.*/b", "/b/.*?x=1", "/web/*/x"] {
        check(&format!("PURGE {unknown}"), "! url");
    }
    check(
        "PURGE /web/*/x | X-Purge-Method: exact",
        "url:a.test/web/*/x",
    );
    check("PURGE /b/%5E.*", "! url");
    // The URL of a page may contain these characters: an alternation requires
    // the method field.
    for (path, literal) in [
        ("/wiki/A/%7C/*", None),
        ("/wiki/A/%7c/.*", None),
        ("/wiki/A/|/.+", None),
        ("/wiki/A|/*", None),
        ("/(b|c)/.*", None),
        ("/wiki/Foo_(bar)/*", None),
        ("/a(|/.*)", None),
        ("/a/(|.*)", None),
        ("/%7C/(.*)", None),
        ("/a/(.*)(.*)", None),
        ("/a/%5E/*", Some("prefix:a.test/a/%5E")),
        ("/a/%28/*", Some("prefix:a.test/a/%28")),
        ("/wiki/A/%7C/", Some("url:a.test/wiki/A/%7C/")),
        ("/wiki/A|B", Some("url:a.test/wiki/A%7CB")),
        ("/wiki/Foo_(bar)", Some("url:a.test/wiki/Foo_(bar)")),
    ] {
        check(&format!("PURGE {path}"), literal.unwrap_or("! url"));
    }
    for word in ["regex", "Regex"] {
        let call = |path: &str| format!("PURGE {path} | X-Purge-Method: {word}");
        check(&call("/(b|c)/.*"), "prefix:a.test/b prefix:a.test/c");
        check(&call("/(b%7Cc)/.*"), "prefix:a.test/b prefix:a.test/c");
        check(&call("/%5E/b/.*"), "! url");
    }
    check("BAN /wiki/A/%7C/*", "! url");
}

#[test]
fn bans_without_fields() {
    check("BAN /", "prefix:a.test");
    check("BAN /blog", "prefix:a.test/blog");
    check("BAN /blog?x=1", "prefix:a.test/blog");
    check("BAN /blog | X-Purge-Method: exact", "url:a.test/blog");
    check("BAN /blog/ | X-Purge-Method: regex", "prefix:a.test/blog");
    for method in [
        "ban",
        "Ban",
        "BANN",
        "PURGEALL",
        "PURGEKEYS",
        "GET",
        "POST",
        "BAN1",
    ] {
        check(&format!("{method} /b | Cache-Tags: a"), "-");
    }
}

#[test]
fn url_patterns() {
    let fields = ["X-Url", "X-Ban-Url", "X-Purge-Url", "X-Purge-Regex"];
    for (pattern, expected) in [
        (".*", "prefix:a.test"),
        ("^.*$", "prefix:a.test"),
        ("^/", "prefix:a.test"),
        ("/", "prefix:a.test"),
        ("^/.*", "prefix:a.test"),
        ("^/blog/", "prefix:a.test/blog"),
        ("^/blog/.*", "prefix:a.test/blog"),
        ("^/blog/.*$", "prefix:a.test/blog"),
        ("^/blog/(.*)$", "prefix:a.test/blog"),
        ("/blog/.*", "prefix:a.test/blog"),
        ("^/blog(/|$)", "prefix:a.test/blog"),
        ("^/blog(/.*)?$", "prefix:a.test/blog"),
        ("^/blog(?:/.*)?$", "prefix:a.test/blog"),
        ("^/blog/?$", "prefix:a.test/blog"),
        ("^/about$", "url:a.test/about"),
        ("^/a\\.html$", "url:a.test/a.html"),
        ("^/a\\?x=1$", "url:a.test/a?x=1"),
        ("^/a\\?x=", "path:a.test/a"),
        ("^/about(\\?.*)?$", "path:a.test/about"),
        ("^/about(\\?|$)", "path:a.test/about"),
        ("^/(a|b)/", "prefix:a.test/a prefix:a.test/b"),
        ("^/a/.*|^/b$", "prefix:a.test/a url:a.test/b"),
        ("(^/a/)|(^/b/)", "prefix:a.test/a prefix:a.test/b"),
        ("^(/a/|/b/).*", "prefix:a.test/a prefix:a.test/b"),
        // Patterns that selectors cannot cover.
        ("^/blog", "!"),
        ("^/blog.*", "!"),
        ("/about$", "!"),
        ("\\.css$", "!"),
        (".*png$", "!"),
        ("^/[0-9]+/", "!"),
        ("^/a{2}/", "!"),
        ("^/a?/", "!"),
        ("^/a/.*/b", "!"),
        (".*/a/.*", "!"),
        ("^/a/.*/b/.*", "!"),
        ("^/(a|b", "!"),
        ("^/a)", "!"),
        ("^/\\d/", "!"),
        ("^$", "!"),
        ("(?i)^/a/", "!"),
        ("!^/a/", "!"),
        ("blog/.*", "!"),
        // An escaped parenthesis opens no group.
        ("^/a\\(?:b$", "!"),
        ("^/a\\(?:/.*)?$", "!"),
        ("^/a\\(:b$", "url:a.test/a(:b"),
        ("^/(?:a|b)/", "prefix:a.test/a prefix:a.test/b"),
        ("^/(?:(?:a)|b)/", "prefix:a.test/a prefix:a.test/b"),
        ("^/about(?:\\?|$)", "path:a.test/about"),
        ("^/a(?:b", "!"),
        ("^/a(?:b)?$", "!"),
        ("^/a(?b)$", "!"),
        ("^/a((?:?:b)$", "!"),
    ] {
        for field in fields {
            if field == "X-Purge-Regex" && !pattern.starts_with(['^', '/']) && pattern != ".*" {
                continue;
            }
            let expected = match expected {
                "!" => format!("! {}", field.to_ascii_lowercase()),
                other => other.to_owned(),
            };
            check(&format!("BAN / | {field}: {pattern}"), &expected);
        }
    }
    // o2switch appends it to the path of the call.
    check("PURGE / | X-Purge-Regex: .*", "prefix:a.test");
    check("PURGE /blog/ | X-Purge-Regex: .*", "prefix:a.test/blog");
    check("PURGE /blog | X-Purge-Regex: (/.*)?", "prefix:a.test/blog");
    check("PURGE /blog | X-Purge-Regex: .*", "! x-purge-regex");
    check("PURGE / | X-Purge-Regex: .*\\.css$", "! x-purge-regex");
    // The path is the call's own URL, whatever characters it has.
    check("PURGE /a/|/ | X-Purge-Regex: .*", "prefix:a.test/a/%7C");
    check("PURGE /a/%7C/ | X-Purge-Regex: .*", "prefix:a.test/a/%7C");
    check("PURGE /a|/ | X-Purge-Regex: .*", "prefix:a.test/a%7C");
    check("PURGE /a(|/ | X-Purge-Regex: .*)", "! x-purge-regex");
    check("PURGE /a_(b)/ | X-Purge-Regex: .*", "prefix:a.test/a_(b)");
    check("PURGE /a$/ | X-Purge-Regex: .*", "prefix:a.test/a$");
    check("PURGE /*/a/ | X-Purge-Regex: .*", "prefix:a.test/*/a");
    check("PURGE /a. | X-Purge-Regex: *", "! x-purge-regex");
    check("PURGE /a+/ | X-Purge-Regex: .*", "prefix:a.test/a+");
    for value in ["|/.*", "|.*", "|", "  |/.*", "|^/b/"] {
        check(
            &format!("PURGE /a/ | X-Purge-Regex: {value}"),
            "! x-purge-regex",
        );
    }
    // An empty field is an unset variable.
    check("BAN / | X-Url: ", "prefix:a.test");
}

#[test]
fn host_patterns() {
    for field in ["X-Host", "X-Ban-Host", "X-Purge-Host", "X-VC-Purge-Host"] {
        let on = |host: &str| format!("BAN / | X-Url: ^/b/ | {field}: {host}");
        check(&on("b.test"), "prefix:b.test/b");
        check(&on("b.test:81"), "prefix:b.test:81/b");
        check(&on("B.Test.:80"), "prefix:b.test/b");
        check(&on("^b\\.test$"), "prefix:b.test/b");
        check(&on("^(b.test|c.test)$"), "prefix:b.test/b prefix:c.test/b");
        for unknown in [
            "",
            ".*",
            ".*\\.test",
            ".*b.test",
            "b.test/c",
            "(www\\.)?b\\.test",
            "^[ab].test",
            "b.test#",
            "b.test#/c",
            "b.test:81#",
            "^b\\.test\\#$",
            "(b.test#|c.test)",
            "b.test\\?",
            "b.test\\?x=1",
            "b.test/",
            "b.test\\/",
            "b.test//",
            "@b.test",
            "u@b.test",
            "u:p\\@b.test",
            "b.test\\\\",
            "b.test:0",
            "b.test:x",
            "b test",
            "*",
        ] {
            check(
                &on(unknown),
                "! x-host"
                    .replace("x-host", refused(field, unknown))
                    .as_str(),
            );
        }
    }
    fn refused(field: &'static str, pattern: &str) -> &'static str {
        match (field, pattern) {
            (_, ".*" | "*") | ("X-Host", _) => "x-host",
            ("X-Ban-Host", _) => "x-ban-host",
            ("X-Purge-Host", _) => "x-purge-host",
            _ => "x-vc-purge-host",
        }
    }
    // FOSHttpCache sends all three with every ban.
    check(
        "BAN / | X-Host: .* | X-Url: .* | X-Content-Type: .*",
        "everything",
    );
    check(
        "BAN / | X-Host: ^(b.test)$ | X-Url: .* | X-Content-Type: text/html",
        "prefix:b.test",
    );
    check(
        "PURGE /.* | X-VC-Purge-Method: regex | X-VC-Purge-Host: www.b.test",
        "prefix:www.b.test",
    );
    check("PURGE /b | X-VC-Purge-Host: www.b.test", "url:www.b.test/b");
    check("PURGE /b | X-Host: .*", "! x-host");
}

#[test]
fn tags() {
    for field in ["xkey-purge", "xkey", "key", "Surrogate-Key", "Cache-Tag"] {
        check(&format!("BAN / | {field}: a b,c"), "tag:a tag:b tag:c");
        check(&format!("PURGE / | {field}: a"), "tag:a");
        let empty = "! name files, tags, prefixes, hosts or purge_everything";
        check(&format!("PURGE / | {field}: "), empty);
    }
    check("BAN / | xkey-softpurge: a b", " / tag:a tag:b");
    check("BAN / | xkey-softpurge: a | xkey-purge: b", "tag:b / tag:a");
    for field in [
        "Cache-Tags",
        "X-Cache-Tags",
        "Purge-Cache-Tags",
        "X-Drupal-Cache-Tags",
        "X-Magento-Tags-Pattern",
    ] {
        let (lower, method) = (field.to_ascii_lowercase(), ["BAN", "PURGE"]);
        for (pattern, expected) in [
            ("node:5", "tag:node:5"),
            ("node:5 node_list", "tag:node:5 tag:node_list"),
            ("node:5|node_list", "tag:node:5 tag:node_list"),
            ("(node:5|node_list)", "tag:node:5 tag:node_list"),
            ("(^|\\s)node:5($|\\s)", "tag:node:5"),
            ("config:system.site", "tag:config:system.site"),
            (
                "((^|,)cat_p_1(,|$))|((^|,)cat_p(,|$))",
                "tag:cat_p_1 tag:cat_p",
            ),
            ("((^|,)cat_p_1(,|$))", "tag:cat_p_1"),
            ("(^|,)(a|b)(,|$)", "tag:a tag:b"),
            ("(a\\-1|b\\.2)(,.+)?$", "tag:a-1 tag:b.2"),
            ("(?:^|,)(?:a|b)(?:,|$)", "tag:a tag:b"),
            ("^a$", "tag:a"),
            (".*", "everything"),
            ("*", "everything"),
            // No pattern may purge more than it names: an unset variable, an
            // incomplete pattern.
            ("", "!"),
            ("()", "!"),
            ("a|", "!"),
            ("cat_p_.*", "!"),
            ("cat_p_[0-9]+", "!"),
            (".*cat_p_1.*", "!"),
            (".*cat_p_1", "!"),
            ("^", "!"),
            ("(a", "!"),
        ] {
            for method in method {
                let expected = match expected {
                    "!" => format!("! {lower}"),
                    other => other.to_owned(),
                };
                check(&format!("{method} / | {field}: {pattern}"), &expected);
            }
        }
    }
    // Other fields beside tags would narrow them.
    check(
        "BAN / | X-Cache-Tags: (a)(,.+)?$ | X-Host: .* | X-Url: .*",
        "tag:a",
    );
    check("BAN / | Cache-Tags: a | xkey-purge: b", "tag:b tag:a");
    check("BAN / | Cache-Tags: é", "! cache-tags");
    check("BAN / | Cache-Tags: edgekeep-x", "! cache-tags");
}

#[test]
fn unsupported_purge_fields_are_refused() {
    for (field, value) in [
        ("x-location-id", "(1|2)"),
        ("varnish-ban-all", "1"),
        ("varnish-ban-typo3-pid", "7"),
        ("varnish-ban-typo3-tag", "pages"),
        ("varnish-ban-typo3-sitename", "0f"),
        ("x-ban-regex", ".*"),
        ("x-purge-domain", ".*"),
        ("ban-expression", "req.url ~ ."),
    ] {
        for method in ["PURGE", "BAN"] {
            check(
                &format!("{method} / | {field}: {value}"),
                &format!("! {field}"),
            );
        }
    }
}

#[test]
fn patterns_have_limits() {
    let tags = |count: usize| vec!["t"; count].join("|");
    check(&format!("BAN / | Cache-Tags: {}", tags(1000)), "tag:t");
    let many = "! an order has at most 1000 selectors; split it";
    check(&format!("BAN / | Cache-Tags: {}", tags(1001)), many);
    let long = "t".repeat(PATTERN_BYTES_MAX);
    assert_eq!(expand(&long).map(|all| all.len()), Ok(1));
    assert_eq!(expand(&format!("{long}t")), Err(PatternError::TooLarge));
    // Ten groups of two are 1,024 texts.
    assert_eq!(expand(&"(a|b)".repeat(9)).map(|all| all.len()), Ok(512));
    assert_eq!(expand(&"(a|b)".repeat(10)), Err(PatternError::TooLarge));
    // 512 texts of 256 bytes are 128 KiB, and one byte more is too much.
    let wide = |tail: usize| format!("{}{}", "(a|b)".repeat(9), "c".repeat(tail));
    assert_eq!(expand(&wide(247)).map(|all| all.len()), Ok(512));
    assert_eq!(expand(&wide(248)), Err(PatternError::TooLarge));
    let nested = |depth: usize| format!("{}a{}", "(".repeat(depth), ")".repeat(depth));
    assert_eq!(expand(&nested(8)).map(|all| all.len()), Ok(1));
    assert_eq!(expand(&nested(9)), Err(PatternError::Unknown));
    // 1,000 branches take 1,000 joins, and so does each element after them: 48
    // of these make 50,000.
    let branches = format!("({})", vec!["a"; 1000].join("|"));
    for behind in ["()", "$"] {
        let joined = |times: usize| {
            let all = expand(&format!("{branches}{}", behind.repeat(times)));
            all.map(|all| all.len())
        };
        assert_eq!(joined(48), Ok(1000), "{behind}");
        assert_eq!(joined(49), Err(PatternError::TooLarge), "{behind}");
    }
    // Joins of nested groups and of branches are counted together.
    let nested = |times: usize| {
        let all = expand(&format!("({branches}{})$", "()".repeat(times)));
        all.map(|all| all.len())
    };
    assert_eq!(nested(46), Ok(1000));
    assert_eq!(nested(47), Err(PatternError::TooLarge));
    let half = format!("({}){}", vec!["a"; 500].join("|"), "$".repeat(50));
    assert_eq!(expand(&half).map(|all| all.len()), Ok(500));
    assert_eq!(
        expand(&format!("{half}|{half}")),
        Err(PatternError::TooLarge)
    );
    let hosts = vec!["h"; 40].join("|");
    let urls = vec!["^/a/"; 26].join("|");
    check(&format!("BAN / | X-Host: {hosts} | X-Url: {urls}"), many);
}
