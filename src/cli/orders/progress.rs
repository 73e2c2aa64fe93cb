//! Progress bars on standard error. They are shown on a terminal only.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar.
#[derive(Debug)]
pub struct Bar(ProgressBar);

impl Bar {
    /// A bar with a label, for `total` steps.
    pub fn new(label: &str, total: u64) -> Self {
        const FORM: &str = "{msg} [{bar:30}] {percent}%";
        let style = ProgressStyle::with_template(FORM);
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::new(total).with_style(style.progress_chars("=> "));
        bar.set_message(label.to_owned());
        Self(bar)
    }

    /// Shows that so many steps are done.
    pub fn set(&self, done: u64) {
        self.0.set_position(done);
    }

    /// Does something that prints lines.
    pub fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        self.0.suspend(print)
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
