//! Tests of the command `edgekeep`: the parts that need no Worker. The command
//! as a whole is tested by `tests/workerd/cli.test.mjs`.

mod advise_reason_tables;
mod advise_tables;
mod doc_tables;
mod explanation_tables;
mod input_tables;
mod probe_tables;
mod receipt_tables;
mod retry_tables;
mod secret_tables;
mod split_tables;
