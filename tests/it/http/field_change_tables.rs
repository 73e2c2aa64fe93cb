//! Tests `Fields::changes`: the changes since the fields were read.

use edgekeep::http::fields::{Fields, REMOVED};

#[test]
fn changes_list_differences_from_the_fields_read() {
    #[track_caller]
    fn check(change: impl Fn(&mut Fields), expected: &[(&str, &str)]) {
        let mut fields = Fields::from_text("etag\n\"1\"\ndate\nToday\nvia\na");
        change(&mut fields);
        let changes = fields.changes(|name, _| name != "date");
        let expected: Fields = expected.iter().copied().collect();
        assert_eq!(changes, Some(expected.to_text()));
    }
    // The receiver never has the date.
    check(|_| {}, &[("date", "Today")]);
    check(|f| f.add("age", "1"), &[("date", "Today"), ("age", "1")]);
    check(|f| f.add("via", "b"), &[("date", "Today"), ("via", "b")]);
    let replaced = [("etag", REMOVED), ("date", "Today"), ("etag", "\"2\"")];
    check(|f| f.set("etag", "\"2\""), &replaced);
    check(
        |f| f.remove("etag"),
        &[("etag", REMOVED), ("date", "Today")],
    );
    check(|f| f.remove("date"), &[]);
    check(
        |f| f.retain(|_, _| false),
        &[("etag", REMOVED), ("via", REMOVED)],
    );
    // The receiver removes all lines of a name: those that stay are added.
    let mut fields = Fields::from_text("link\na\nlink\nb\netag\n1\nlink\nc");
    fields.retain(|_, value| value != "b");
    let changes = fields.changes(|_, _| true);
    assert_eq!(changes.as_deref(), Some("link\n\0\nlink\na\nlink\nc"));
    // Fields that were not read have no changes.
    let made: Fields = [("etag", "\"1\"")].into_iter().collect();
    assert_eq!(made.changes(|_, _| true), None);
}
