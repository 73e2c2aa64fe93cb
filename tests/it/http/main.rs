//! Tests of the protocol: URLs, fields, dates, lists, JSON.

mod char_ref_tables;
mod date_tables;
mod field_change_tables;
mod field_tables;
mod json_object_tables;
mod path_tables;
mod reference_tables;
mod structured_tables;
mod tag_tables;
mod url_tables;
