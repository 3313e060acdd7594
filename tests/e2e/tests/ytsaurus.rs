//! In front of a YTsaurus cluster, which is played: what people were told about Task proxy stays true,
//! and what is wrong with it is not so here. Which test shows what is in the package's `README.md`.

mod addresses;
mod collisions;
mod commands;
mod fleet;
mod jobs;
mod map;
mod moves;
mod readers;
mod trouble;
mod verdicts;
mod written;
