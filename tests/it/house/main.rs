//! Tests of the house: the shape of the source, and the documents.

mod docs;
mod module_graph;
mod settings_reference;
mod shape;
