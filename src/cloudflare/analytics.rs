//! Data points of Workers Analytics Engine, if the deployment has the binding.

use super::js::{glue, worker_message};
use crate::cache::stats::data_point::DataPoint;
use crate::flow::response::request_log::problem_line;
use std::cell::OnceCell;
use worker::{AnalyticsEngineDataPointBuilder, AnalyticsEngineDataset, BlobType, Env};

const BINDING: &str = "EDGEKEEP_ANALYTICS";

thread_local! {
    /// The binding, read once per isolate.
    static DATASET: OnceCell<Option<AnalyticsEngineDataset>> = const { OnceCell::new() };
}

/// Calls a function with the dataset; `None` if there is no binding.
pub fn with_dataset<T>(env: &Env, work: impl FnOnce(&AnalyticsEngineDataset) -> T) -> Option<T> {
    let read = || env.analytics_engine(BINDING).ok();
    DATASET.with(|dataset| dataset.get_or_init(read).as_ref().map(work))
}

/// Writes a data point. The runtime sends it later, and the request does not
/// wait for it.
pub fn write(dataset: &AnalyticsEngineDataset, point: &DataPoint) {
    let written = AnalyticsEngineDataPointBuilder::new()
        .indexes([point.index()])
        .blobs(point.blobs().map(BlobType::from))
        .doubles(point.doubles())
        .write_to(dataset);
    if let Err(error) = written {
        glue::log_error(&problem_line("analytics", &worker_message(error)));
    }
}
