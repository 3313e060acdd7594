//! The emulators against those that talk to them: YTsaurus's own client, and plain HTTP.

// Helpers of tests are tests: they may unwrap.
#[cfg(test)]
mod protocol;
#[cfg(test)]
mod real_client;
