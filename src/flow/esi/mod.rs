//! Assembles pages from fragments.

pub mod assemble;
