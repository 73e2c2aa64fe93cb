//! Tests how URLs are parsed and normalized (RFC 3986 §6.2.2), and which URLs stay
//! different.

use edgekeep::http::url::{Url, UrlError, canonical_parameter, canonical_path};

#[test]
fn urls_are_parsed_and_normalized() {
    #[track_caller]
    fn check(text: &str, expected: &str) {
        let url = Url::parse(text).expect(text);
        let query = url
            .query
            .as_deref()
            .map_or("none".to_owned(), |q| format!("[{q}]"));
        let found = format!("{} {} {} {query}", url.scheme, url.host, url.path);
        assert_eq!(found, expected, "{text}");
    }
    check("http://a.test", "http a.test / none");
    check("http://a.test/", "http a.test / none");
    check("https://a.test/b/c", "https a.test /b/c none");
    check("HTTPS://A.Test/B", "https a.test /B none");
    check("hTTp://a.test/", "http a.test / none");
    check("http://a.test:80/", "http a.test / none");
    check("https://a.test:443/", "https a.test / none");
    check("http://a.test:443/", "http a.test:443 / none");
    check("https://a.test:80/", "https a.test:80 / none");
    check("http://a.test:0080/", "http a.test / none");
    check("http://a.test:08080/", "http a.test:8080 / none");
    check("http://a.test:65535/", "http a.test:65535 / none");
    // RFC 3986 §6.2.3: an empty port equals no port.
    check("http://a.test:/", "http a.test / none");
    check("http://a.test:", "http a.test / none");
    check("http://a.test?b", "http a.test / [b]");
    check("http://a.test/?", "http a.test / []");
    check("http://a.test/?a=1&a=2", "http a.test / [a=1&a=2]");
    check("http://a.test/??a?", "http a.test / [?a?]");
    check("http://a.test/?a=/b//c", "http a.test / [a=/b//c]");
    check("http://a.test/a#b", "http a.test /a none");
    check("http://a.test#b", "http a.test / none");
    check("http://a.test/?a#b?c", "http a.test / [a]");
    check("http://a.test/#/b?c", "http a.test / none");
    // The dot segments of the URL standard, which `fetch` follows.
    check("http://a.test/%2e%2E/a", "http a.test /a none");
    check("http://a.test/x/.%2e/%2E/%61?..", "http a.test /%61 [..]");
    check("http://a.test/x/..", "http a.test / none");
    check(
        "http://a.test/x/..;/.../a.",
        "http a.test /x/..;/.../a. none",
    );
    // Its slashes, too; but not in a query.
    check("http://a.test/x\\..\\y?\\..", "http a.test /y [\\..]");
    check("http://a.test\\x", "http a.test /x none");
    check(
        "http://a.test:81\\@b.test/",
        "http a.test:81 /@b.test/ none",
    );
    check("http://a.test/\\b.test/", "http a.test //b.test/ none");
    check("http://a.test/%5c../x", "http a.test /%5c../x none");
    // The standard drops tabs and line breaks.
    check("http://a.test/x\r/\n../.\t./y", "http a.test /y none");
    check("http://a.test//a//", "http a.test //a// none");
    check("http://a.test/a@b", "http a.test /a@b none");
    check("http://a.test/a:b", "http a.test /a:b none");
    check("http://a.test/http://b", "http a.test /http://b none");
    check("http://a.test/é", "http a.test /é none");
    // Rooted names are the same names (RFC 1034 §3.1).
    check("http://a.test.", "http a.test / none");
    check("http://A.Test.:8080/", "http a.test:8080 / none");
    check("http://127.0.0.1.", "http 127.0.0.1 / none");
    check("http://1.test", "http 1.test / none");
    check("http://0x1f.a", "http 0x1f.a / none");
    check("http://[0:0::0001]/", "http [::1] / none");
    check(
        "http://[2001:DB8:0:0:1:0:0:1]/",
        "http [2001:db8::1:0:0:1] / none",
    );
    check("http://a_b-c.test", "http a_b-c.test / none");
    check("http://127.0.0.1:8080/a", "http 127.0.0.1:8080 /a none");
    check("http://[::1]/a", "http [::1] /a none");
    check("http://[::1]:80/a", "http [::1] /a none");
    check("http://[::1]:8080/a", "http [::1]:8080 /a none");
    check("http://[::FFFF:1.2.3.4]", "http [::ffff:102:304] / none");
    check("http://xn--caf-dma.test/", "http xn--caf-dma.test / none");
}

#[test]
fn invalid_urls_are_refused() {
    #[track_caller]
    fn check(text: &str, expected: UrlError) {
        assert_eq!(Url::parse(text), Err(expected), "{text}");
    }
    for text in ["", "/", "a.test/b", "//a.test/", "http:/a.test", "http:a"] {
        check(text, UrlError::Scheme);
    }
    for text in [
        "ftp://a.test/",
        "ws://a.test",
        " http://a.test",
        "://a.test",
    ] {
        check(text, UrlError::Scheme);
    }
    check("javascript:alert(1)//://", UrlError::Scheme);
    for text in [
        "http://",
        "http:///a",
        "http://?a",
        "http://#",
        "http://:80/",
    ] {
        check(text, UrlError::Host);
    }
    for text in [
        "http://a b/",
        "http://a\tb/",
        "http://a%2fb/",
        "http://é.test/",
    ] {
        check(text, UrlError::Host);
    }
    for text in [
        "http://a,b/",
        "http://a*b/",
        "http://[::1",
        "http://::1/",
        "http://[]",
    ] {
        check(text, UrlError::Host);
    }
    // Names that `fetch` reads as another address, or refuses.
    for text in [
        "http://2130706433/",
        "http://127.1/",
        "http://0x7f.0.0.1/",
        "http://0177.0.0.1/",
        "http://127.0.0.0x1/",
        "http://a.test.1/",
        "http://a.0x/",
        "http://1.2.3.4.5/",
        "http://256.0.0.1/",
        "http://a..test/",
        "http://.a.test/",
        "http://a.test../",
        "http://./",
        "http://[1:2]/",
        "http://[::1.2.3]/",
    ] {
        check(text, UrlError::Host);
    }
    check("http://[::1]a/", UrlError::Host);
    check("http://[g::1]/", UrlError::Host);
    check("http://a:1:2/", UrlError::Host);
    // RFC 1035 §2.3.4: a name has at most 253 characters.
    check(&format!("http://{}/", "a".repeat(254)), UrlError::Host);
    for port in ["0", "65536", "99999", "00000", "184467440737095516160"] {
        check(&format!("http://a.test:{port}/"), UrlError::Port);
    }
    for text in ["http://u@a.test/", "http://u:p@a.test/", "http://@a.test/"] {
        check(text, UrlError::UserInfo);
    }
    check("http://a.test@b.test:80/", UrlError::UserInfo);
}

#[test]
fn non_numeric_port_is_a_port_error() {
    for text in [
        "http://a.test:port/",
        "http://a.test:8o/",
        "http://a.test:-1/",
    ] {
        assert_eq!(Url::parse(text), Err(UrlError::Port), "{text}");
    }
}

#[test]
fn parsed_path_begins_with_a_slash() {
    for text in [
        "http://a.test",
        "http://a.test?b",
        "http://a.test\\b\\c",
        "http://a.test\\",
    ] {
        // An error is also correct.
        let path = Url::parse(text).map_or("/".to_owned(), |url| url.path);
        assert!(path.starts_with('/'), "{text}: {path}");
    }
}

#[test]
fn paths_are_normalized() {
    #[track_caller]
    fn check(path: &str, expected: &str) {
        assert_eq!(canonical_path(path), expected, "{path}");
        assert_eq!(canonical_path(expected), expected, "twice: {path}");
    }
    check("/", "/");
    check("/a/b", "/a/b");
    check("/A", "/A");
    check("/%41%7a%30%2D%2e%5F%7e", "/Az0-._~");
    check("/%c3%a9", "/%C3%A9");
    check("/é", "/%C3%A9");
    check("/a b", "/a%20b");
    check("/a%20b", "/a%20b");
    check("/a+b", "/a+b");
    check("/a\"<>^`{|}b", "/a%22%3C%3E%5E%60%7B%7C%7Db");
    check("/[a]", "/%5Ba%5D");
    check("/\u{7f}\u{1}", "/%7F%01");
    check("/\u{1F600}", "/%F0%9F%98%80");
    check("/%00", "/%00");
    check("/!$&'()*+,;=:@", "/!$&'()*+,;=:@");
    // An escape of a reserved character is another path (RFC 3986 §2.2).
    check("/%21%24%26%27", "/%21%24%26%27");
    check("/%2f", "/%2F");
    check("/%5c", "/%5C");
    check("/a%2Fb", "/a%2Fb");
    // `fetch` reads it as a slash.
    check("/a\\b", "/a/b");
    check("/a\\..\\..\\b", "/b");
    check("/a\\%2e%2e/b", "/b");
    check("/a%3bb", "/a%3Bb");
    check("/a%3fb", "/a%3Fb");
    check("/a%23b", "/a%23b");
    check("/%25", "/%25");
    check("/%2541", "/%2541");
    check("/%", "/%");
    check("/%4", "/%4");
    check("/%zz", "/%zz");
    check("/%4g", "/%4g");
    check("/100%", "/100%");
    check("/%é", "/%%C3%A9");
    // Dot segments (RFC 3986 §5.2.4).
    check("/.", "/");
    check("/..", "/");
    check("/./", "/");
    check("/../", "/");
    check("/../../a", "/a");
    check("/a/.", "/a/");
    check("/a/./b", "/a/b");
    check("/a/..", "/");
    check("/a/../b", "/b");
    check("/a/b/..", "/a/");
    check("/a/b/../", "/a/");
    check("/a/b/../../..", "/");
    check("/a/b/c/./../../g", "/a/g");
    check("/%2e%2e/a", "/a");
    check("/a/%2E/b", "/a/b");
    check("/a/.%2e/b", "/b");
    check("/...", "/...");
    check("/.a/..b/a../b.", "/.a/..b/a../b.");
    check("/a/..%2fb", "/a/..%2Fb");
    check("/a/..;/b", "/a/..;/b");
    check("/a/..\\b", "/b");
    check("/a/..%5Cb", "/a/..%5Cb");
    // Empty segments are kept: RFC 3986 removes them only by a dot segment.
    check("//", "//");
    check("//a", "//a");
    check("/a//b/", "/a//b/");
    check("/a//../b", "/a/b");
    check("//..", "/");
    check("//../a", "/a");
    check("//.", "//");
}

#[test]
fn stray_percent_sign_creates_no_escape() {
    // `%%341` decoded once is `%41`, decoded twice `A`.
    for path in [
        "/%%341",
        "/%%34%31",
        "/%4%31",
        "/%%32%35",
        "/%%2541",
        "/%%%34%31",
    ] {
        let once = canonical_path(path);
        assert_eq!(canonical_path(&once), once, "{path}");
        let once = canonical_parameter(path);
        assert_eq!(canonical_parameter(&once), once, "{path}");
    }
}

#[test]
fn different_paths_stay_different() {
    let distinct = [
        "/a/b", "/a//b", "//a/b", "/a/b/", "/a%2Fb", "/a%5Cb", "/a;b", "/a%3Bb", "/a+b", "/a%20b",
        "/a%2Bb", "/A/b", "/a%b", "/a%25b", "/a%252Fb", "/a%3Fb", "/a%23b", "/a%00b", "/a;/b",
        "/a/;b", "/a/b%00", "/a&b", "/a%26b", "/a=b", "/a%3Db", "/a:b", "/a%3Ab",
    ];
    for (at, one) in distinct.iter().enumerate() {
        for other in &distinct[at + 1..] {
            assert_ne!(canonical_path(one), canonical_path(other), "{one} {other}");
        }
    }
}

#[test]
fn parameters_are_normalized() {
    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(canonical_parameter(text), expected, "{text}");
        assert_eq!(canonical_parameter(expected), expected, "twice: {text}");
    }
    check("", "");
    check("a=1", "a=1");
    check("%61=%31", "a=1");
    check("a=%2f", "a=%2F");
    check("a=/", "a=/");
    check("a=?", "a=?");
    check("a=%3f", "a=%3F");
    check("a=%26b%3d1", "a=%26b%3D1");
    check("a=b=c", "a=b=c");
    check("a=b c", "a=b%20c");
    check("a=b+c", "a=b+c");
    check("a=b%2bc", "a=b%2Bc");
    check("a[]=1", "a%5B%5D=1");
    check("a=é", "a=%C3%A9");
    check("a=%", "a=%");
    check("a=%u00e9", "a=%u00e9");
    check("a=../b", "a=../b");
    check("a=\"", "a=%22");
    // `fetch` escapes `'`, and does not change `\`.
    check("a='", "a=%27");
    check("a=\\", "a=\\");
    check("a;b", "a;b");
    check("=", "=");
    check("a", "a");
}

/// A text of characters that have a meaning in URLs.
fn random_text(random: &mut fastrand::Rng) -> String {
    const PIECES: [&str; 24] = [
        "/", "//", ".", "..", "%2e", "%2F", "%41", "%", "%4", "a", "B", "~", ";", "?", "&", "=",
        "+", " ", "é", "\\", "%25", "%5c", "1", "\u{0}",
    ];
    let count = random.usize(0..12);
    let pieces = std::iter::repeat_with(|| PIECES[random.usize(0..PIECES.len())]);
    pieces.take(count).collect()
}

#[test]
fn normalization_is_idempotent() {
    let mut random = fastrand::Rng::with_seed(3986);
    for _ in 0..20_000 {
        let text = random_text(&mut random);
        let path = canonical_path(&format!("/{text}"));
        assert_eq!(canonical_path(&path), path, "{text:?}");
        let parameter = canonical_parameter(&text);
        assert_eq!(canonical_parameter(&parameter), parameter, "{text:?}");
        assert!(path.is_ascii() && parameter.is_ascii(), "{text:?}");
        let dots = path.split('/').any(|s| s == "." || s == "..");
        assert!(path.starts_with('/') && !dots, "{text:?}: {path}");
    }
}

#[test]
fn canonical_url_parses_as_it_prints() {
    let mut random = fastrand::Rng::with_seed(1738);
    for _ in 0..20_000 {
        let query = random_text(&mut random);
        let url = Url {
            scheme: ["http", "https"][random.usize(0..2)],
            host: ["a.test", "a.test:81", "[::1]:8080"][random.usize(0..3)].to_owned(),
            path: canonical_path(&format!("/{}", random_text(&mut random).replace('?', ""))),
            query: random.bool().then(|| canonical_parameter(&query)),
        };
        assert_eq!(Url::parse(&url.to_string()), Ok(url));
    }
}
