//! soundwatch keeps the history that TikTok's sound-trend API forgets. The modules stand in the
//! order of the data's way; each depends only on what stands above it. See `ARCHITECTURE.md`.

pub mod clock;
pub mod owner;
pub mod problem;

pub mod words;

pub mod source;

pub mod model;

pub mod schedule;

pub mod config;

pub mod watchlist;

pub mod period;

pub mod trend;

pub mod export;

pub mod history;

pub mod store;

pub mod forecast;

pub mod api;

pub mod spool;

pub mod collect;

pub mod alert;

pub mod charts;

pub mod report;

pub mod web;

pub mod service;

pub mod simulator;

pub mod cli;
