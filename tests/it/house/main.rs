//! Tests of the structure of the source, and of the documents.

mod docs;
mod module_graph;
mod settings_reference;
mod shape;
