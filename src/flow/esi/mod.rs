//! Pages made of fragments.

pub mod assemble;
