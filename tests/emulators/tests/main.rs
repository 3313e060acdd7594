//! The emulators against those that talk to them: the platforms' own clients, and plain HTTP.

// Helpers of tests are tests: they may unwrap.
#[cfg(test)]
mod arvados;
#[cfg(test)]
mod determined;
#[cfg(test)]
mod kubernetes;
#[cfg(test)]
mod protocol;
#[cfg(test)]
mod real_client;
