//! Commands about settings and what they mean for a request.

pub mod check;
pub mod explain;
pub mod explanation;
pub mod settings_file;
pub mod site_explanation;
