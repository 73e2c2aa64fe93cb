//! The deployment's settings and secrets, read once per isolate.

use super::js::{glue, json_variable};
use crate::cache::config::rules::Rules;
use crate::cache::request::client_fields::DEBUG_FIELD;
use crate::cache::request::read_fields::fields_read;
use crate::flow::isolate::credentials::Keys;
use crate::flow::isolate::state::Isolate;
use crate::flow::response::request_log::{problem_line, setting_problem_line};
use std::cell::OnceCell;
use std::rc::Rc;
use worker::Env;

thread_local! {
    /// The isolate's state.
    static ISOLATE: OnceCell<Configured> = const { OnceCell::new() };
}

/// The isolate, by the validity of its settings.
#[derive(Clone)]
pub enum Configured {
    /// The settings are valid.
    Valid(Rc<Isolate>),
    /// The settings are invalid: an isolate that passes every request, if it is
    /// certain where to, and the line for the log.
    Invalid(Option<Rc<Isolate>>, String),
}

/// The isolate's state. It is made by its first request, cron run or alarm.
pub fn configured(env: &Env) -> Configured {
    ISOLATE.with(|cell| cell.get_or_init(|| configure(env)).clone())
}

/// The isolate's state, or the error of its settings.
pub fn isolate(env: &Env) -> Result<Rc<Isolate>, String> {
    match configured(env) {
        Configured::Valid(isolate) => Ok(isolate),
        Configured::Invalid(_, problem) => Err(problem),
    }
}

/// Reads the settings. An invalid one stops all caching, because half a
/// configuration could show one visitor's page to another.
fn configure(env: &Env) -> Configured {
    let json = json_variable(env, "EDGEKEEP").unwrap_or_else(|| "{}".to_owned());
    let rules = match Rules::read_json(&json) {
        Ok(rules) => rules,
        Err(error) => {
            let path = &error.path;
            let problem = format!("bad setting [vars.EDGEKEEP] {path}: {}", error.problem);
            let line = setting_problem_line(path, &problem);
            let isolate = |rules| Rc::new(Isolate::new(rules, Keys::of_default("")));
            return Configured::Invalid(Rules::passing(&json).map(isolate), line);
        }
    };
    // An invalid secret stops purges by its key. Pages are served.
    let keys = Keys::read(&rules, |variable| {
        env.var(variable).ok().map(|value| value.to_string())
    });
    for problem in keys.problems() {
        glue::log_error(&problem_line("keys", problem));
    }
    if let Some(mut names) = fields_read(&rules) {
        names.extend(keys.have_debug_token().then_some(DEBUG_FIELD));
        glue::read_only(&names.join("\n"));
    }
    Configured::Valid(Rc::new(Isolate::new(rules, keys)))
}
