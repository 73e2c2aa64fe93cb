//! Plays every story in the simulated world. In workerd the same files are
//! played by `tests/workerd/stories.test.mjs`.

use std::path::Path;
#[allow(dead_code, reason = "other tests use the rest")]
use testkit::world;

#[test]
fn stories_match_their_expectations() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stories");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the folder of stories")
        .map(|file| file.expect("a file").path())
        .filter(|path| path.extension().is_some_and(|e| e == "story"))
        .collect();
    files.sort();
    assert!(files.len() >= 12, "only {} stories found", files.len());
    let failures: Vec<String> = files
        .iter()
        .filter_map(|path| world::story::play(path).err())
        .collect();
    assert!(failures.is_empty(), "\n{}", failures.join("\n\n"));
    println!("{} stories played", files.len());
}
