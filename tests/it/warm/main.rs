//! Tests of warming, the fast lane, zone purges and fragments.

mod cron;
mod esi_tables;
mod fast_lane;
mod sitemap_tables;
mod warm_tables;
mod warming;
mod work_quotas;
mod zone_tables;
